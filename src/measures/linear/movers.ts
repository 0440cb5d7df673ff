import * as tf from '../../backends/tf.ts';
import { lars } from '../../train/optimizers/lars.ts';
import { disposeState } from '../../train/optimizers/optimizer.ts';

/** A linear classifier's weight [D, classes] and bias [classes], or their gradients. */
export interface Linear {
  readonly weight: tf.Tensor;
  readonly bias: tf.Tensor;
}

/** Moves a linear classifier. Owned by whoever made it, who calls `dispose`. */
export interface Mover {
  readonly learned: Linear;
  /** One step against gradients, which stay the caller's. */
  move(gradients: Linear, rate: number): void;
  dispose(): void;
}

const momentum = 0.9;

/** SGD with momentum 0.9 and no decay. @param start becomes the mover's. */
export function sgdMover({ weight, bias }: Linear): Mover {
  let state = { weight, bias, weightMomentum: tf.zerosLike(weight), biasMomentum: tf.zerosLike(bias) };
  return {
    get learned() {
      return state;
    },
    move(gradients, rate) {
      const next = tf.tidy(() => {
        const weightMomentum = state.weightMomentum.mul(momentum).add(gradients.weight);
        const biasMomentum = state.biasMomentum.mul(momentum).add(gradients.bias);
        return {
          weight: state.weight.sub(weightMomentum.mul(rate)),
          bias: state.bias.sub(biasMomentum.mul(rate)),
          weightMomentum,
          biasMomentum,
        };
      });
      tf.dispose(state);
      state = next;
    },
    dispose: () => tf.dispose(state),
  };
}

/** LARS as in MAE's linear probe: trust 0.001, momentum 0.9, no decay; the bias moves by momentum alone. @param start becomes the mover's. */
export function larsMover(start: Linear): Mover {
  const params = { weight: tf.variable(start.weight, false), bias: tf.variable(start.bias, false) };
  tf.dispose([start.weight, start.bias]);
  const optimizer = lars((name) => name === 'weight');
  const state = optimizer.init(params);
  return {
    learned: params,
    move: ({ weight, bias }, lr) => void optimizer.update(params, [weight, bias], state, { lr }),
    dispose() {
      tf.dispose(params);
      disposeState(state);
    },
  };
}
