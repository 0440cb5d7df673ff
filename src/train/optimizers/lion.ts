import { lionUpdate } from '../../backends/updates.ts';
import { type Optimizer, optimizerOf, type Rule } from './optimizer.ts';

export interface LionOptions extends Partial<Omit<Rule, 'decays'>> {
  readonly beta1?: number;
  readonly beta2?: number;
}

/**
 * Moves every number by the rate, up or down: by the sign of a mean of gradients. With decoupled weight decay and one moment. Source: Chen et
 * al. 2023; β = (0.9, 0.99), and ten times AdamW's decay for a rate ten times smaller, as their ViT-B has.
 */
export function lion(decays: Rule['decays'], options: LionOptions = {}): Optimizer {
  const { beta1 = 0.9, beta2 = 0.99, weightDecay = 0.5, layerDecay } = options;
  return optimizerOf(['exp_avg'], { decays, weightDecay, layerDecay }, (group, at) => {
    const { parameters, gradients, moments, decays } = group;
    return lionUpdate(parameters, gradients, moments[0]!, { ...at, beta1, beta2, decays });
  });
}
