import t from 'tap';
import { prepareTorch } from '../../../src/backends/torch/prepare.ts';
import { testDevice, withoutTorch } from '../../kit/training/torch.ts';
import { testBfloat16Operations } from '../suite/bfloat16.ts';

// Read when the first operation runs. Nothing changes where the processor has no tiles.
if (process.env.PATCHSTREAM_TORCH_KERNELS !== 'aten') process.env.PATCHSTREAM_TORCH_KERNELS = 'plain';
if (withoutTorch === false) await prepareTorch(testDevice);

t.test('operations in bfloat16 by the loops for processors without tiles', { skip: withoutTorch }, (t) =>
  testBfloat16Operations(t, false),
);
