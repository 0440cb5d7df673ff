import * as tf from '../tf.ts';
import { Calls, give, type Operations, replace, type TensorflowBackend } from './calls.ts';
import { Drawing } from './graph/drawing.ts';
import { GraphProgram, GraphRefused } from './graph/program.ts';

export type List = readonly tf.TensorInfo[];

/** A kernel that takes lists of float32 tensors, and may replace their values. */
export interface ListKernel<At> {
  /** Numbers that change from call to call. */
  numbers(at: At): readonly number[];
  /** All else that the operations follow from, beside the tensors' shapes. */
  form(at: At): string;
  /** @param numbers handles of `numbers`. @returns handles of what is given away. */
  compute(c: Operations, lists: readonly List[], numbers: readonly number[], at: At): readonly number[];
}

/** A program for lists of some shapes, once it is worth one. */
interface Drawn {
  calls: number;
  /** Nothing before it was drawn, and where it cannot be. */
  program?: GraphProgram;
  /** Which tensors get new values. */
  replaced: readonly number[];
}

/** Drawing a graph takes as long as several calls, and has TensorFlow work on it: what is called this often is called in each step. */
const callsBefore = 2;
/** Lists of fewer tensors are no faster as a graph. */
const leastTensors = 4;
/** So many are kept, of those that were used last: groups of parameters have one each. */
const mostDrawn = 64;

/**
 * Registers a kernel over lists. On the CPU it becomes a graph when it is called again and again with lists of the same shapes.
 *
 * @param told hears once why graphs do not serve.
 */
export function registerLists<At>(kernelName: string, kernel: ListKernel<At>, told: (text: string) => void): void {
  const known = new WeakMap<object, Map<string, Drawn>>();
  let refused = false;
  const drawnOf = (backend: TensorflowBackend, lists: readonly List[], at: At): Drawn => {
    const all = known.get(backend) ?? new Map<string, Drawn>();
    known.set(backend, all);
    const key = `${kernel.form(at)};${lists.map((list) => list.map(({ shape }) => shape.join()).join(' ')).join(';')}`;
    const drawn = all.get(key) ?? { calls: 0, replaced: [] };
    all.delete(key);
    all.set(key, drawn);
    for (const [oldest, { program }] of all) {
      if (all.size <= mostDrawn) break;
      program?.dispose();
      all.delete(oldest);
    }
    return drawn;
  };
  tf.registerKernel({
    kernelName,
    backendName: 'tensorflow',
    kernelFunc: ({ inputs, attrs, backend: kernelBackend }) => {
      const backend = kernelBackend as unknown as TensorflowBackend;
      const [lists, at] = [inputs as unknown as readonly List[], attrs as unknown as At];
      const tensors = lists.flat();
      // A graph's placeholders stand for one tensor each.
      const serves = tensors.length >= leastTensors && new Set(tensors).size === tensors.length;
      if (serves && !refused && !backend.isUsingGpuDevice) {
        const drawn = drawnOf(backend, lists, at);
        drawn.calls += 1;
        try {
          if (drawn.calls > callsBefore) return run(backend, drawn, kernel, lists, at);
        } catch (cause) {
          if (!(cause instanceof GraphRefused)) throw cause;
          refused = true;
          for (const { program } of known.get(backend)?.values() ?? []) program?.dispose();
          known.delete(backend);
          told(`${kernelName} is called and runs as no graph, because ${cause.message}. Only speed suffers.`);
        }
      }
      return called(backend, kernel, lists, at);
    },
  });
}

/** Operation by operation. */
function called<At>(
  backend: TensorflowBackend,
  kernel: ListKernel<At>,
  lists: readonly List[],
  at: At,
): tf.TensorInfo[] {
  const calls = new Calls(backend);
  try {
    const numbers = kernel.numbers(at).map((value) => calls.number(value));
    return kernel.compute(calls, lists, numbers, at).map((id) => calls.give(id));
  } finally {
    calls.end();
  }
}

function run<At>(
  backend: TensorflowBackend,
  drawn: Drawn,
  kernel: ListKernel<At>,
  lists: readonly List[],
  at: At,
): tf.TensorInfo[] {
  const [tensors, numbers] = [lists.flat(), kernel.numbers(at)];
  drawn.program ??= draw(backend, drawn, kernel, lists, at);
  const calls = new Calls(backend);
  try {
    const ids = numbers.map((value) => calls.number(value));
    const outputs = drawn.program.run([...backend.getInputTensorIds(tensors), ...ids]);
    for (const place of drawn.replaced) replace(backend, tensors[place]!, outputs.shift()!.id);
    return outputs.map((output) => give(backend, output));
  } finally {
    calls.end();
  }
}

function draw<At>(
  backend: TensorflowBackend,
  drawn: Drawn,
  kernel: ListKernel<At>,
  lists: readonly List[],
  at: At,
): GraphProgram {
  const [tensors, count] = [lists.flat(), kernel.numbers(at).length];
  const drawing = new Drawing(tensors, count);
  const numbers = Array.from({ length: count }, (_, i) => tensors.length + i);
  const given = kernel.compute(drawing, lists, numbers, at).map((id) => drawing.nameOf(id));
  drawn.replaced = [...drawing.replaced.keys()];
  return new GraphProgram(backend, drawing.graph, {
    inputs: drawing.inputs,
    outputs: [...drawing.replaced.values(), ...given],
  });
}
