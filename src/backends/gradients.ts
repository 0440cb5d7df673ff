import * as tf from './tf.ts';

/**
 * The value of a scalar function and its gradient by each variable. Names are those of the record, not tfjs' own, which must be unique
 * in a process. A variable that `f` does not touch gets zeros.
 *
 * @returns tensors that the caller owns: `value` a scalar, `gradients` of the shapes of the variables. Nothing is left behind when it throws.
 */
export function gradients<Name extends string>(
  f: () => tf.Tensor,
  variables: Readonly<Record<Name, tf.Variable>>,
): { value: tf.Tensor; gradients: Record<Name, tf.Tensor> } {
  const entries = Object.entries(variables) as [Name, tf.Variable][];
  const list = entries.map(([, variable]) => variable);
  const { value, grads } = taped(() => tf.variableGrads(() => f() as tf.Scalar, list));
  const named = entries.map(([name, variable]) => [name, grads[variable.name] ?? tf.zeros(variable.shape)] as const);
  return { value, gradients: Object.fromEntries(named) as Record<Name, tf.Tensor> };
}

// The part of tfjs' engine that keeps what gradients need of the forward pass.
interface Taping {
  gradientDepth: number;
  activeTape: { readonly saved?: readonly tf.Tensor[] }[] | null;
}

/** Runs `f` and frees what tfjs has kept for its gradients when it throws, which tfjs does only at the end of those that go well. */
function taped<T>(f: () => T): T {
  try {
    return f();
  } catch (cause) {
    const taping = tf.engine().state as unknown as Taping;
    if (taping.gradientDepth === 0 && taping.activeTape !== null) {
      for (const { saved } of taping.activeTape) tf.dispose([...(saved ?? [])]);
      taping.activeTape = null;
    }
    throw cause;
  }
}
