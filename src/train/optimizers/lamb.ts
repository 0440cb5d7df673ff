import { lambUpdate } from '../../backends/updates.ts';
import { type Optimizer, optimizerOf, type Rule } from './optimizer.ts';

export interface LambOptions extends Partial<Omit<Rule, 'decays'>> {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly eps?: number;
  /** No parameter moves further than its rate says: the ratio of norms is at most 1. */
  readonly trustClip?: boolean;
}

/**
 * Adam whose step of each parameter, decay included, has the norm of the parameter times the rate. Parameters that do not decay (biases, norms,
 * tokens) are moved by Adam alone. Source: You et al. 2020; β = (0.9, 0.999), eps 1e-6, decay 0.01 as there.
 */
export function lamb(decays: Rule['decays'], options: LambOptions = {}): Optimizer {
  const { beta1 = 0.9, beta2 = 0.999, eps = 1e-6, weightDecay = 0.01, trustClip = false, layerDecay } = options;
  return optimizerOf(['exp_avg', 'exp_avg_sq'], { decays, weightDecay, layerDecay }, (group, at) => {
    const { parameters, gradients, moments, decays, decaying: adapts } = group;
    const how = { ...at, beta1, beta2, eps, trustClip, decays, adapts };
    return lambUpdate(parameters, gradients, moments[0]!, moments[1]!, how);
  });
}
