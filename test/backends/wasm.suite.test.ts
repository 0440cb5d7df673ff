import t from 'tap';
import { prepareWasm } from '../../src/backends/wasm.ts';
import { testOperations } from './suite/operations.ts';
import { testUpdates } from './suite/updates.ts';

await prepareWasm((message) => t.comment(message));
await testOperations(t);
await testUpdates(t);
