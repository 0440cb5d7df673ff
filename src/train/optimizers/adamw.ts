import { adamwUpdate } from '../../backends/updates.ts';
import { type Optimizer, optimizerOf, type Rule } from './optimizer.ts';

/** Options of AdamW. The defaults are those of MAE's and LoMaR's pre-training. */
export interface AdamWOptions extends Partial<Omit<Rule, 'decays'>> {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly eps?: number;
}

/** AdamW with decoupled weight decay. Source: Loshchilov and Hutter 2019; β = (0.9, 0.95), eps 1e-8, decay 0.05 as in MAE's recipe. */
export function adamw(decays: Rule['decays'], options: AdamWOptions = {}): Optimizer {
  const { beta1 = 0.9, beta2 = 0.95, eps = 1e-8, weightDecay = 0.05, layerDecay } = options;
  return optimizerOf(['exp_avg', 'exp_avg_sq'], { decays, weightDecay, layerDecay }, (group, at) => {
    const { parameters, gradients, moments, decays } = group;
    return adamwUpdate(parameters, gradients, moments[0]!, moments[1]!, { ...at, beta1, beta2, eps, decays });
  });
}
