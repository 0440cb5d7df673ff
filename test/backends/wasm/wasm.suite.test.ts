import t from 'tap';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { testEdges } from '../suite/edges.ts';
import { testOperations } from '../suite/operations.ts';
import { testUpdates } from '../suite/updates.ts';

await prepareWasm((message) => t.comment(message));
// Training beside tfjs on its cpu backend takes a minute: test/all/wasm.test.ts.
for (const [name, test] of Object.entries({ testOperations, testUpdates, testEdges })) t.test(name, test);
