import t from 'tap';
import { prepareTensorflow } from '../../src/backends/tensorflow.ts';
import { withoutTensorflow } from '../kit/training/tensorflow.ts';
import { testEdges } from './suite/edges.ts';
import { testOperations } from './suite/operations.ts';
import { testUpdates } from './suite/updates.ts';

// Other suites may have had the process before.
t.before(async () => {
  if (withoutTensorflow === false) await prepareTensorflow();
});

const skip = { skip: withoutTensorflow };
for (const [name, test] of Object.entries({ testOperations, testUpdates, testEdges })) t.test(name, skip, test);
