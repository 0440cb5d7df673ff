import type { AdamWUpdate } from '../updates.ts';
import type { Operations } from './calls.ts';
import { type List, type ListKernel, registerLists } from './lists.ts';

/**
 * The kernels of a training step over all of a model's tensors. Values of tensors are replaced by new ones, for operations change none in place.
 *
 * @param told hears of what does not serve.
 */
export function registerUpdates(told: (text: string) => void): void {
  registerLists('PatchstreamNorms', norms, told);
  registerLists('PatchstreamAdamW', adamw, told);
  registerLists('PatchstreamAverage', average, told);
}

const norms: ListKernel<unknown> = {
  numbers: () => [],
  form: () => '',
  compute(c, lists) {
    const halves = lists.flat().map((tensor) => c.op('L2Loss', [c.of(tensor)]));
    return [c.op('Mul', [c.ofList('Pack', halves), c.constant(2)])];
  },
};

/** As `averageUpdate` in backends/updates.ts is composed: a weight of 1 makes averages the values, bit for bit. */
const average: ListKernel<{ readonly weight: number }> = {
  numbers: ({ weight }) => [weight < 0.5 ? weight : 1 - weight],
  form: ({ weight }) => (weight < 0.5 ? 'from the average' : 'from the value'),
  compute(c, lists, [share], { weight }) {
    const [averages, values] = lists as [List, List];
    for (const [i, tensor] of averages.entries()) {
      const [before, value] = [c.of(tensor), c.of(values[i]!)];
      const way = c.op('Sub', [value, before]);
      const part = c.spend('Mul', [way, share!], [way]);
      c.replace(tensor, weight < 0.5 ? c.op('AddV2', [before, part]) : c.op('Sub', [value, part]));
    }
    return [];
  },
};

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
const adamw: ListKernel<AdamWUpdate> = {
  numbers: ({ lr, beta1, beta2, eps, step, scale, decays }) => {
    const root = Math.sqrt(1 - beta2 ** step);
    const moments = [(1 - beta1) * scale, (1 - beta2) * scale * scale];
    const kept = distinct(decays).map((decay) => 1 - lr * decay);
    return [(lr * root) / (1 - beta1 ** step), eps * root, ...moments, ...kept];
  },
  form: ({ beta1, beta2, decays }) => [beta1, beta2, ...decays].join(),
  compute(c, lists, [rate, least, ofFirst, ofSecond, ...kept], { beta1, beta2, decays }) {
    const [parameters, gradients, firsts, seconds] = lists as [List, List, List, List];
    const [beforeFirst, beforeSecond] = [c.constant(beta1), c.constant(beta2)];
    const keptBy = new Map(distinct(decays).map((decay, i) => [decay, kept[i]!]));
    for (const { decay, members } of groupsOf(parameters, decays)) {
      const whole = (list: List) => wholeOf(c, list, members);
      const [gradient, first, second] = [whole(gradients), whole(firsts), whole(seconds)];
      const sum = (a: number, b: number) => c.spend('AddV2', [a, b], [a, b]);
      const square = c.op('Square', [gradient]);
      const m = sum(c.op('Mul', [first, beforeFirst]), c.op('Mul', [gradient, ofFirst!]));
      const v = sum(c.op('Mul', [second, beforeSecond]), c.spend('Mul', [square, ofSecond!], [square]));
      const deviation = c.op('Sqrt', [v]);
      const divisor = c.spend('AddV2', [deviation, least!], [deviation]);
      const quotient = c.spend('RealDiv', [m, divisor], [divisor]);
      const change = c.spend('Mul', [quotient, rate!], [quotient]);
      const before = c.op('Mul', [whole(parameters), keptBy.get(decay)!]);
      const p = c.spend('Sub', [before, change], [before, change]);
      const sizes = members.map((i) => parameters[i]!.shape[0]!);
      for (const [list, id] of [
        [parameters, p],
        [firsts, m],
        [seconds, v],
      ] as const) {
        const parts = members.length === 1 ? [id] : c.split(id, sizes);
        for (const [n, i] of members.entries()) c.replace(list[i]!, parts[n]!);
      }
    }
    return [];
  },
};

const distinct = (decays: readonly number[]) => [...new Set(decays)];

/** The members of a list in one piece. */
function wholeOf(c: Operations, list: List, members: readonly number[]): number {
  const parts = members.map((i) => c.of(list[i]!));
  return parts.length === 1 ? parts[0]! : c.join(parts);
}
