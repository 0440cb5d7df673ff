import t from 'tap';
import { prepareTorch } from '../../../src/backends/torch/prepare.ts';
import { testDevice, withoutTorch } from '../../kit/training/torch.ts';
import { testEdges } from '../suite/edges.ts';
import { testOperations } from '../suite/operations.ts';
import { testUpdates } from '../suite/updates.ts';

const skip = { skip: withoutTorch };
if (withoutTorch === false) await prepareTorch(testDevice, (message) => t.fail(message));
for (const [name, test] of Object.entries({ testOperations, testUpdates, testEdges })) t.test(name, skip, test);
