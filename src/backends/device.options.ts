import { z } from 'zod';

/** Where a model is computed, as trainings and stages take it. Free of tfjs. */
export const deviceOptions = {
  backend: z.enum(['auto', 'tensorflow', 'torch', 'wasm']).default('auto').describe('Where tensors are computed.'),
  device: z
    .string()
    .regex(/^(auto|cpu|mps|cuda(:\d+)?)$/, 'auto, cpu, mps, cuda or cuda:<number>')
    .default('auto')
    .describe('The device: auto, cpu, cuda:0, cuda:1, mps.'),
  precision: z
    .enum(['float32', 'tf32', 'bfloat16'])
    .default('float32')
    .describe(
      'The type of the factors in products. Weights, norms and losses stay float32. bfloat16: GPUs, and CPUs with AVX-512 BF16 or AMX; tf32: GPUs. Elsewhere float32, which is said.',
    ),
};
