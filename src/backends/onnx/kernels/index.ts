import { convolutions } from './convolutions.ts';
import { elementwise } from './elementwise.ts';
import { fusedKernels } from './fused.ts';
import type { KernelTable } from './kernel.ts';
import { products } from './products.ts';
import { reductions } from './reductions.ts';
import { shapes } from './shapes.ts';

/** What each kernel of tfjs is in operations of ONNX, by its name. */
export const kernels: KernelTable = {
  ...elementwise,
  ...shapes,
  ...products,
  ...reductions,
  ...convolutions,
  ...fusedKernels,
};
