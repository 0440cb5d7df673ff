import t from 'tap';
import { DirectWrites } from '../../src/sinks/direct-writes.ts';

t.test('files are written by those that render them as long as that is quick, and tried again now and then', (t) => {
  const writes = new DirectWrites();
  const due = (count: number) => Array.from({ length: count }, () => writes.isDue()).filter(Boolean).length;
  t.equal(due(1000), 1000);
  writes.took(3000);
  t.equal(due(100), 100, 'one slow file is none of a slow disk');
  for (let i = 0; i < 10; i++) writes.took(3000);
  t.equal(due(2560), 10, 'one of 256 is tried');
  writes.took(2500);
  t.equal(due(2560), 10);
  writes.took(40);
  t.equal(due(100), 100, 'and it is quick again');
  t.end();
});
