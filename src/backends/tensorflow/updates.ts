import * as tf from '../tf.ts';
import type { AdamWUpdate } from '../updates.ts';
import { Calls, type TensorflowBackend } from './calls.ts';

type List = readonly tf.TensorInfo[];

/** The kernels of a training step over all of a model's tensors. Values of tensors are replaced by new ones, for operations change none in place. */
export function registerUpdates(): void {
  registerLists('PatchstreamNorms', (c, lists) => {
    const halves = lists.flat().map((tensor) => c.op('L2Loss', [c.of(tensor)]));
    return [c.op('Mul', [c.ofList('Pack', halves), c.constant(2)])];
  });
  registerLists('PatchstreamAdamW', (c, lists, attrs) => {
    adamw(c, lists as [List, List, List, List], attrs as AdamWUpdate);
    return [];
  });
}

/** Tensors of so few values are updated together: an operation on them takes less time than the call. */
const fewValues = 1 << 12;

/** Parameters of one decay: a large one, or all small vectors as if they were one. */
interface Group {
  readonly decay: number;
  readonly members: readonly number[];
}

function groupsOf(parameters: List, decays: readonly number[]): Group[] {
  const isSmall = (i: number) => parameters[i]!.shape.length === 1 && parameters[i]!.shape[0]! <= fewValues;
  const all = parameters.map((_, i) => i);
  const together = [...new Set(all.filter(isSmall).map((i) => decays[i]!))].map((decay) => ({
    decay,
    members: all.filter((i) => isSmall(i) && decays[i] === decay),
  }));
  return [...together, ...all.filter((i) => !isSmall(i)).map((i) => ({ decay: decays[i]!, members: [i] }))];
}

/** As `adamw` in `ops.ts`, with the factors that are the same for all elements drawn together, so that fewer operations go through all of them. */
function adamw(c: Calls, [parameters, gradients, firsts, seconds]: [List, List, List, List], at: AdamWUpdate): void {
  const { lr, beta1, beta2, eps, step, scale, decays } = at;
  const [beforeFirst, ofFirst] = [c.constant(beta1), c.constant((1 - beta1) * scale)];
  const [beforeSecond, ofSecond] = [c.constant(beta2), c.constant((1 - beta2) * scale * scale)];
  const root = Math.sqrt(1 - beta2 ** step);
  const [rate, least] = [c.number((lr * root) / (1 - beta1 ** step)), c.number(eps * root)];
  for (const { decay, members } of groupsOf(parameters, decays)) {
    const sizes = members.map((i) => parameters[i]!.shape[0]!);
    const whole = (list: List) => {
      const parts = members.map((i) => c.of(list[i]!));
      return parts.length === 1 ? parts[0]! : c.join(parts);
    };
    const [gradient, first, second] = [whole(gradients), whole(firsts), whole(seconds)];
    const sum = (a: number, b: number) => c.spend('AddV2', [a, b], [a, b]);
    const square = c.op('Square', [gradient]);
    const m = sum(c.op('Mul', [first, beforeFirst]), c.op('Mul', [gradient, ofFirst]));
    const v = sum(c.op('Mul', [second, beforeSecond]), c.spend('Mul', [square, ofSecond], [square]));
    const deviation = c.op('Sqrt', [v]);
    const divisor = c.spend('AddV2', [deviation, least], [deviation]);
    const quotient = c.spend('RealDiv', [m, divisor], [divisor]);
    const change = c.spend('Mul', [quotient, rate], [quotient]);
    const before = c.op('Mul', [whole(parameters), c.number(1 - lr * decay)]);
    const p = c.spend('Sub', [before, change], [before, change]);
    for (const [list, id] of [
      [parameters, p],
      [firsts, m],
      [seconds, v],
    ] as const) {
      const parts = members.length === 1 ? [id] : c.split(id, sizes);
      for (const [n, i] of members.entries()) c.replace(list[i]!, parts[n]!);
    }
  }
}

/** A kernel that takes lists of tensors. */
function registerLists(
  kernelName: string,
  compute: (calls: Calls, lists: readonly List[], attrs: unknown) => readonly number[],
): void {
  tf.registerKernel({
    kernelName,
    backendName: 'tensorflow',
    kernelFunc: ({ inputs, attrs, backend }) => {
      const calls = new Calls(backend as unknown as TensorflowBackend);
      try {
        return compute(calls, inputs as unknown as readonly List[], attrs).map((id) => calls.give(id));
      } finally {
        calls.end();
      }
    },
  });
}
