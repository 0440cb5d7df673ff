/**
 * The only importer of tfjs. The union package is taken whole because `tfjs-core` alone registers no gradients in Node; loading it takes
 * half a second, so what only checks or describes must not import this file (option schemas live in `models/<name>.options.ts`).
 */
import { enableProdMode } from '@tensorflow/tfjs';

export * from '@tensorflow/tfjs';

// Without it tfjs checks every kernel's output for NaN bookkeeping and prints advice about Node.
enableProdMode();
