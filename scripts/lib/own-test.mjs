/** What `import t from 'tap'` gives a test file that shares its process (run-together.mjs): the test of that file. Loaded anew for each. */
import { current } from './run-together.mjs';

export default current;
