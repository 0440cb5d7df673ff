import t from 'tap';
import * as tf from '../../../src/backends/tf.ts';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { testEdges } from '../suite/edges.ts';
import { testOperations } from '../suite/operations.ts';
import { testTraining } from '../suite/training.ts';
import { testUpdates } from '../suite/updates.ts';

await prepareWasm((message) => t.comment(message));
for (const [name, test] of Object.entries({ testOperations, testUpdates, testEdges })) t.test(name, test);
t.test('training, beside tfjs on its cpu backend', (t) => testTraining(t, prepareWasm, () => tf.setBackend('cpu')));
