import * as tf from '../../backends/tf.ts';
import { layerScales } from './layer-decay.ts';

/** Variables by the names of the parameters that they belong to. */
export type Named = Readonly<Record<string, tf.Variable>>;

/** What an optimizer keeps between steps: the number of steps made, and its moments. */
export interface OptimizerState {
  step: number;
  /** Each moment of every parameter, by the moment's name, which is its name in files too: `exp_avg`. */
  readonly moments: Readonly<Record<string, Named>>;
}

/** An optimizer over named variables. */
export interface Optimizer {
  /** A fresh state for these parameters. The caller owns its variables. */
  init(params: Named): OptimizerState;
  /**
   * One step: gives new values to `params` and `state` and counts it. Gradients stay the caller's; nothing else is left behind.
   *
   * @param gradients in the order of `params`.
   * @param at `lr` the step's learning rate; `scale` multiplies every gradient first (1 / Σ count of the losses), 1 by default.
   * @returns true when it has set the gradients to zero on the way, as backends do that change tensors in place.
   */
  update(
    params: Named,
    gradients: readonly tf.Tensor[],
    state: OptimizerState,
    at: { readonly lr: number; readonly scale?: number },
  ): boolean;
}

/** What the rules of all optimizers have in common. */
export interface Rule {
  /** Whether a parameter is decayed, by its name: asked of every parameter, so that none is left to chance. */
  decays(name: string): boolean;
  readonly weightDecay: number;
  /** What the learning rate is multiplied by from each layer to the one before it (`layerScales`); 1 by default. */
  readonly layerDecay?: number | undefined;
}

/** Parameters of one learning rate, with all that belongs to them in the same order. */
export interface Group {
  readonly parameters: readonly tf.Variable[];
  readonly gradients: readonly tf.Tensor[];
  /** A list for each moment, in the order of their names. */
  readonly moments: readonly (readonly tf.Variable[])[];
  /** The weight decay of each parameter. */
  readonly decays: readonly number[];
  /** Whether each parameter is one of those that decay, however much: the others are biases, norms and tokens. */
  readonly decaying: readonly boolean[];
}

/** Where a group stands: its own learning rate, what multiplies its gradients, and the number of this step from 1. */
export interface GroupStep {
  readonly lr: number;
  readonly scale: number;
  readonly step: number;
}

/**
 * An optimizer that keeps the moments of these names and moves the parameters of each learning rate by `move`.
 *
 * @param move gives new values to the parameters and moments of a group. True when it has set the gradients to zero.
 */
export function optimizerOf(
  moments: readonly string[],
  rule: Rule,
  move: (group: Group, at: GroupStep) => boolean,
): Optimizer {
  // The lists of the training that was updated last: made once, for a large model has hundreds of parameters.
  let newest: ReturnType<typeof grouped> | undefined;
  return {
    init: (params) => ({ step: 0, moments: Object.fromEntries(moments.map((name) => [name, zerosLike(params)])) }),
    update: (params, gradients, state, { lr, scale = 1 }) => {
      state.step += 1;
      if (newest?.params !== params || newest.state !== state || newest.gradients !== gradients) {
        newest = grouped(params, gradients, state, rule);
      }
      const cleared = newest.groups.map((group) => move(group, { lr: lr * group.rate, scale, step: state.step }));
      return cleared.every(Boolean);
    },
  };
}

function grouped(
  params: Named,
  gradients: readonly tf.Tensor[],
  state: OptimizerState,
  { decays, weightDecay, layerDecay = 1 }: Rule,
) {
  const names = Object.keys(params);
  const rates = layerScales(names, layerDecay);
  const groups = [...new Set(rates)].map((rate): Group & { readonly rate: number } => {
    const places = names.flatMap((_, i) => (rates[i] === rate ? i : []));
    const own = places.map((i) => names[i]!);
    const of = (tensors: Named) => own.map((name) => tensors[name]!);
    const decaying = own.map((name) => decays(name));
    return {
      rate,
      parameters: of(params),
      gradients: places.map((i) => gradients[i]!),
      moments: Object.values(state.moments).map(of),
      decays: decaying.map((decays) => (decays ? weightDecay : 0)),
      decaying,
    };
  });
  return { params, gradients, state, groups };
}

function zerosLike(params: Named): Record<string, tf.Variable> {
  const entries = Object.entries(params).map(
    ([name, { shape }]) => [name, tf.tidy(() => tf.variable(tf.zeros(shape), false))] as const,
  );
  return Object.fromEntries(entries);
}

/** Frees a state's variables. */
export function disposeState(state: OptimizerState): void {
  for (const variables of Object.values(state.moments))
    for (const variable of Object.values(variables)) variable.dispose();
}
