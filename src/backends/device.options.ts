import { z } from 'zod';

/** Where a model is computed, as trainings and stages take it. Free of tfjs. */
export const deviceOptions = {
  backend: z.enum(['auto', 'tensorflow', 'torch', 'wasm']).default('auto').describe('Where tensors are computed.'),
  device: z
    .string()
    .regex(/^(auto|cpu|mps|cuda(:\d+)?)$/, 'auto, cpu, mps, cuda or cuda:<number>')
    .default('auto')
    .describe('The device: auto, cpu, cuda:0, cuda:1, mps.'),
};
