import * as tf from './tf.ts';

/**
 * The value of a scalar function and its gradient by each variable. Names are those of the record, not tfjs' own, which must be unique
 * in a process. A variable that `f` does not touch gets zeros.
 *
 * @returns tensors that the caller owns: `value` a scalar, `gradients` of the shapes of the variables.
 */
export function gradients<Name extends string>(
  f: () => tf.Tensor,
  variables: Readonly<Record<Name, tf.Variable>>,
): { value: tf.Tensor; gradients: Record<Name, tf.Tensor> } {
  const entries = Object.entries(variables) as [Name, tf.Variable][];
  const list = entries.map(([, variable]) => variable);
  const { value, grads } = tf.variableGrads(() => f() as tf.Scalar, list);
  const named = entries.map(([name, variable]) => [name, grads[variable.name] ?? tf.zeros(variable.shape)] as const);
  return { value, gradients: Object.fromEntries(named) as Record<Name, tf.Tensor> };
}
