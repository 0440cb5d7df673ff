import * as tf from './tf.ts';

/** A value, what its gradient needs of the forward pass, and the gradient: d value -> d inputs, one per input, in their order. */
export interface Forward<S extends readonly tf.Tensor[]> {
  readonly value: tf.Tensor;
  readonly saved: S;
  /** Must use only `saved` of the tensors made in the forward pass: the others are gone by then. */
  readonly backward: (dy: tf.Tensor, saved: S) => readonly tf.Tensor[];
}

/**
 * An operation with a gradient of our own: `tf.customGrad` with types. What is inside `forward` is not recorded by tfjs' tape.
 *
 * @param inputs the tensors to differentiate by. @returns `value`.
 */
export function withGradient<I extends tf.Tensor[], S extends readonly tf.Tensor[]>(
  inputs: I,
  forward: (...inputs: I) => Forward<S>,
): tf.Tensor {
  const custom = tf.customGrad((...args) => {
    const save = args.pop() as unknown as tf.GradSaveFunc;
    const { value, saved, backward } = forward(...(args as unknown as I));
    save([...saved]);
    // tfjs tidies its own gradients as they go, but keeps all that a custom one makes until the last is done.
    const gradFunc = (dy: tf.Tensor, kept: tf.Tensor[]) => tf.tidy(() => [...backward(dy, kept as unknown as S)]);
    return { value, gradFunc };
  });
  return custom(...inputs);
}
