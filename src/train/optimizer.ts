import * as tf from '../backends/tf.ts';
import { adamwUpdate } from '../backends/updates.ts';
import { layerScales } from './layer-decay.ts';

/** What an optimizer keeps between steps: the number of steps made, and the moments of each parameter by name. */
export interface OptimizerState {
  step: number;
  readonly first: Record<string, tf.Variable>;
  readonly second: Record<string, tf.Variable>;
}

/** An optimizer over named variables. */
export interface Optimizer {
  /** A fresh state for these parameters. The caller owns its variables. */
  init(params: Readonly<Record<string, tf.Variable>>): OptimizerState;
  /**
   * One step: gives new values to `params` and `state` and counts it. Gradients stay the caller's; nothing else is left behind.
   *
   * @param gradients in the order of `params`.
   * @param at `lr` the step's learning rate; `scale` multiplies every gradient first (1 / Σ count of the losses), 1 by default.
   * @returns true when it has set the gradients to zero on the way, as backends do that change tensors in place.
   */
  update(
    params: Readonly<Record<string, tf.Variable>>,
    gradients: readonly tf.Tensor[],
    state: OptimizerState,
    at: { readonly lr: number; readonly scale?: number },
  ): boolean;
}

/** Options of AdamW. The defaults are those of MAE's and LoMaR's pre-training. */
export interface AdamWOptions {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly eps?: number;
  readonly weightDecay?: number;
  /** What the learning rate is multiplied by from each layer to the one before it (`layerScales`); 1 by default. */
  readonly layerDecay?: number;
}

/** Parameters of one learning rate, with all that belongs to them in the same order. */
interface Group {
  readonly scale: number;
  readonly parameters: readonly tf.Variable[];
  readonly gradients: readonly tf.Tensor[];
  readonly first: readonly tf.Variable[];
  readonly second: readonly tf.Variable[];
  readonly decay: readonly number[];
}

/**
 * AdamW with decoupled weight decay. Source: Loshchilov and Hutter 2019; β = (0.9, 0.95), eps 1e-8, decay 0.05 as in MAE's recipe.
 *
 * @param decays whether a parameter is decayed, by its name: asked of every parameter, so that none is left to chance.
 */
export function adamw(decays: (name: string) => boolean, options: AdamWOptions = {}): Optimizer {
  const { beta1 = 0.9, beta2 = 0.95, eps = 1e-8, weightDecay = 0.05, layerDecay = 1 } = options;
  // The lists of the training that was updated last: made once, for a large model has hundreds of parameters.
  let newest: ReturnType<typeof grouped> | undefined;
  return {
    init: (params) => ({ step: 0, first: zerosLike(params), second: zerosLike(params) }),
    update: (params, gradients, state, { lr, scale = 1 }) => {
      state.step += 1;
      if (newest?.params !== params || newest.state !== state || newest.gradients !== gradients) {
        newest = grouped(params, gradients, state);
      }
      const cleared = newest.groups.map((group) => {
        const { parameters, gradients, first, second, decay: decays } = group;
        const at = { lr: lr * group.scale, beta1, beta2, eps, scale, step: state.step, decays };
        return adamwUpdate(parameters, gradients, first, second, at);
      });
      return cleared.every(Boolean);
    },
  };

  function grouped(
    params: Readonly<Record<string, tf.Variable>>,
    gradients: readonly tf.Tensor[],
    state: OptimizerState,
  ) {
    const names = Object.keys(params);
    const scales = layerScales(names, layerDecay);
    const groups = [...new Set(scales)].map((scale): Group => {
      const places = names.flatMap((_, i) => (scales[i] === scale ? i : []));
      const own = places.map((i) => names[i]!);
      const of = (tensors: Readonly<Record<string, tf.Variable>>) => own.map((name) => tensors[name]!);
      return {
        scale,
        parameters: of(params),
        gradients: places.map((i) => gradients[i]!),
        first: of(state.first),
        second: of(state.second),
        decay: own.map((name) => (decays(name) ? weightDecay : 0)),
      };
    });
    return { params, gradients, state, groups };
  }
}

function zerosLike(params: Readonly<Record<string, tf.Variable>>): Record<string, tf.Variable> {
  const entries = Object.entries(params).map(
    ([name, { shape }]) => [name, tf.tidy(() => tf.variable(tf.zeros(shape), false))] as const,
  );
  return Object.fromEntries(entries);
}

/** Frees a state's variables. */
export function disposeState(state: OptimizerState): void {
  for (const variables of [state.first, state.second])
    for (const variable of Object.values(variables)) variable.dispose();
}
