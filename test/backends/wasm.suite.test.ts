import t from 'tap';
import { prepareWasm } from '../../src/backends/wasm.ts';
import { testEdges } from './suite/edges.ts';
import { testOperations } from './suite/operations.ts';
import { testUpdates } from './suite/updates.ts';

t.setTimeout(120_000);
await prepareWasm((message) => t.comment(message));
for (const [name, test] of Object.entries({ testOperations, testUpdates, testEdges })) t.test(name, test);
