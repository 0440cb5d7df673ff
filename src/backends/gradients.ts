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
  const made: tf.Tensor[] = [];
  let value: tf.Tensor | undefined;
  try {
    value = eachGradient(f, list, (i, gradient) => {
      made[i] = gradient;
    });
    for (const [i, variable] of list.entries()) made[i] ??= tf.zeros(variable.shape);
    const named = entries.map(([name], i) => [name, made[i]!] as const);
    return { value, gradients: Object.fromEntries(named) as Record<Name, tf.Tensor> };
  } catch (cause) {
    tf.dispose([...made.filter(Boolean), ...(value === undefined ? [] : [value])]);
    throw cause;
  }
}

/** A node of tfjs' tape: an operation whose gradient it knows. */
interface Node {
  readonly kernelName: string;
  readonly inputs: Readonly<Record<string, tf.Tensor>>;
  readonly outputs: readonly tf.Tensor[];
  /** What the gradient needs of the forward pass. */
  readonly saved?: readonly tf.Tensor[];
  readonly gradient?: (dys: readonly (tf.Tensor | null)[]) => Readonly<Record<string, () => tf.Tensor>>;
}

/** The part of tfjs' engine that keeps what gradients need of the forward pass. */
interface Taping {
  readonly state: { readonly gradientDepth: number; activeTape: readonly Node[] | null };
  startTape(): void;
  endTape(): void;
}

/**
 * The value of a scalar function; its gradient by each variable that it touches is given away as soon as it is whole, and what the backward pass needs no
 * more is freed on the way. tfjs' own keeps all gradients, also of everything between, until the last is there: of a large model, a second copy of all
 * weights and another of all that was computed.
 *
 * @param give takes over a variable's gradient, of its shape, unless it throws. @returns the value, which the caller owns. Nothing else is left behind when it throws.
 */
export function eachGradient(
  f: () => tf.Tensor,
  variables: readonly tf.Variable[],
  give: (variable: number, gradient: tf.Tensor) => void,
): tf.Tensor {
  const { value, tape } = taped(f);
  const path = pathFrom(variables, value, tape);
  for (const node of tape) if (!path.includes(node)) freeSaved(node);
  const places = new Map(variables.map(({ id }, i) => [id, i]));
  const whole = firstUses(path, places);
  const grown = new Map<number, tf.Tensor>();
  let at = path.length - 1;
  try {
    grown.set(value.id, tf.onesLike(value));
    for (; at >= 0; at--) {
      const { node, wanted } = path.at(at);
      const dys = node.outputs.map(({ id }) => grown.get(id) ?? null);
      const dxs = dys.every((dy) => dy === null) ? [] : backward(node, wanted, dys);
      growAll(
        grown,
        wanted.map((name) => node.inputs[name]!.id),
        dxs,
      );
      for (const { id } of node.outputs) {
        grown.get(id)?.dispose();
        grown.delete(id);
      }
      freeSaved(node);
      for (const variable of whole.get(node) ?? []) {
        const { id } = variables[variable]!;
        const gradient = grown.get(id);
        if (gradient === undefined) continue;
        give(variable, gradient);
        grown.delete(id);
      }
    }
  } catch (cause) {
    for (; at >= 0; at--) freeSaved(path.at(at).node);
    value.dispose();
    throw cause;
  } finally {
    for (const gradient of grown.values()) gradient.dispose();
  }
  return value;
}

/** Runs `f` and takes its tape. Frees what tfjs has kept for gradients when it throws. */
function taped(f: () => tf.Tensor): { value: tf.Tensor; tape: readonly Node[] } {
  const engine = tf.engine() as unknown as Taping;
  if (engine.state.gradientDepth > 0) throw new Error('gradients of a training step are not taken inside of others');
  engine.startTape();
  try {
    const value = tf.tidy(f);
    return { value, tape: engine.state.activeTape ?? [] };
  } catch (cause) {
    engine.state.activeTape?.forEach(freeSaved);
    throw cause;
  } finally {
    engine.endTape();
    engine.state.activeTape = null;
  }
}

function freeSaved({ saved }: Node): void {
  tf.dispose([...(saved ?? [])]);
}

/** The nodes through which a value depends on variables, in the order of the forward pass. */
interface Path {
  readonly length: number;
  includes(node: Node): boolean;
  /** @returns a node, and the names of its inputs that depend on variables. */
  at(i: number): { readonly node: Node; readonly wanted: readonly string[] };
}

function pathFrom(variables: readonly tf.Variable[], value: tf.Tensor, tape: readonly Node[]): Path {
  const depends = new Set(variables.map(({ id }) => id));
  const from = tape.flatMap((node) => {
    const wanted = Object.keys(node.inputs).filter((name) => depends.has(node.inputs[name]!.id));
    if (wanted.length === 0) return [];
    for (const { id } of node.outputs) depends.add(id);
    return [{ node, wanted }];
  });
  const leads = new Set([value.id]);
  const path = from
    .reverse()
    .filter(({ node, wanted }) => {
      if (!node.outputs.some(({ id }) => leads.has(id))) return false;
      for (const name of wanted) leads.add(node.inputs[name]!.id);
      return true;
    })
    .reverse();
  const nodes = new Set(path.map(({ node }) => node));
  return { length: path.length, includes: (node) => nodes.has(node), at: (i) => path[i]! };
}

/** By node, the variables of which it is the first user: their gradients are whole when the backward pass has come there. */
function firstUses(path: Path, places: ReadonlyMap<number, number>): Map<Node, number[]> {
  const seen = new Set<number>();
  const uses = new Map<Node, number[]>();
  for (let i = 0; i < path.length; i++) {
    const { node, wanted } = path.at(i);
    for (const name of wanted) {
      const variable = places.get(node.inputs[name]!.id);
      if (variable === undefined || seen.has(variable)) continue;
      seen.add(variable);
      uses.set(node, [...(uses.get(node) ?? []), variable]);
    }
  }
  return uses;
}

/** The gradients by inputs of one operation, each a tensor of its own. */
function backward(node: Node, wanted: readonly string[], dys: readonly (tf.Tensor | null)[]): readonly tf.Tensor[] {
  const { kernelName, inputs, outputs, saved = [], gradient } = node;
  if (gradient === undefined) throw new Error(`the operation ${kernelName} has no gradient`);
  // A gradient may be handed through; what is freed here must not be what another still holds.
  const taken = new Set([...dys, ...Object.values(inputs), ...outputs, ...saved].map((tensor) => tensor?.id));
  return tf.tidy(() => {
    const by = gradient(dys);
    return wanted.map((name) => {
      if (by[name] === undefined) throw new Error(`the operation ${kernelName} has no gradient by its input ${name}`);
      const made = by[name]();
      const { shape } = inputs[name]!;
      if (made.dtype !== 'float32' || made.shape.join() !== shape.join())
        throw new Error(
          `the gradient of ${kernelName} by ${name} must be float32 [${shape.join()}], got ${made.dtype} [${made.shape.join()}]`,
        );
      const dx = taken.has(made.id) ? made.clone() : made;
      taken.add(dx.id);
      return dx;
    });
  });
}

/** Adds tensors, which are spent, to what has come of each input so far. */
function growAll(grown: Map<number, tf.Tensor>, ids: readonly number[], dxs: readonly tf.Tensor[]): void {
  let added = 0;
  try {
    for (; added < dxs.length; added++) {
      const [id, dx] = [ids[added]!, dxs[added]!];
      const before = grown.get(id);
      grown.set(id, before === undefined ? dx : before.add(dx));
      if (before !== undefined) tf.dispose([before, dx]);
    }
  } finally {
    // Where there was no memory for a sum.
    tf.dispose(dxs.slice(added));
  }
}
