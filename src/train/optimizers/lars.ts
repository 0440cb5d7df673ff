import { larsUpdate } from '../../backends/updates.ts';
import { type Optimizer, optimizerOf, type Rule } from './optimizer.ts';

/** Options of LARS. The defaults are those of MAE's linear probe. */
export interface LarsOptions extends Partial<Omit<Rule, 'decays'>> {
  readonly momentum?: number;
  /** The share of a parameter's norm that its gradient is brought to. */
  readonly trust?: number;
  readonly eps?: number;
}

/**
 * SGD with momentum whose rate follows, parameter by parameter, the norm of the weights over that of the gradient. Parameters that do not decay
 * (biases, norms, tokens) are moved by plain momentum. Source: You, Gitman and Ginsburg 2017; trust 0.001, momentum 0.9, no decay as in MAE's
 * linear probe.
 */
export function lars(decays: Rule['decays'], options: LarsOptions = {}): Optimizer {
  const { momentum = 0.9, trust = 1e-3, eps = 1e-8, weightDecay = 0, layerDecay } = options;
  return optimizerOf(['momentum_buffer'], { decays, weightDecay, layerDecay }, (group, at) => {
    const { parameters, gradients, moments, decays, decaying: adapts } = group;
    return larsUpdate(parameters, gradients, moments[0]!, { ...at, momentum, trust, eps, decays, adapts });
  });
}
