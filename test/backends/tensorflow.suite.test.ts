import t from 'tap';
import { withoutTensorflow } from '../kit/training/tensorflow.ts';
import { testEdges } from './suite/edges.ts';
import { testOperations } from './suite/operations.ts';
import { testUpdates } from './suite/updates.ts';

const skip = { skip: withoutTensorflow };
for (const [name, test] of Object.entries({ testOperations, testUpdates, testEdges })) t.test(name, skip, test);
