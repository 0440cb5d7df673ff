import { adamw } from './adamw.ts';
import { lamb } from './lamb.ts';
import { lars } from './lars.ts';
import { lion } from './lion.ts';
import type { Optimizer, Rule } from './optimizer.ts';
import type { OptimizerOptions } from './options.ts';

/** The optimizer that a pipeline names, and AdamW where it names none. @param decays of the model */
export function makeOptimizer(options: OptimizerOptions, decays: Rule['decays']): Optimizer {
  if (options.lars !== undefined) return lars(decays, options.lars);
  if (options.lamb !== undefined) return lamb(decays, withBetas(options.lamb));
  if (options.lion !== undefined) return lion(decays, withBetas(options.lion));
  return adamw(decays, options.adamw && withBetas(options.adamw));
}

function withBetas<T extends { readonly betas: readonly [number, number] }>({ betas, ...options }: T) {
  return { ...options, beta1: betas[0], beta2: betas[1] };
}
