import { relativeError } from '../parity/answers.ts';

/** What a device may differ by: relative, loss by loss and gradient by gradient. */
export const tolerances = { loss: 1e-5, gradient: 1e-3 };
/** Gradients below this share of the largest norm nearly cancel, and are told only. */
const small = 1e-3;

/** How far answers (`loss`, `prediction`, `gradient.<name>`) are from those expected, and whether that is within the tolerances. */
export function compareAnswers(found: ReadonlyMap<string, Float32Array>, expected: ReadonlyMap<string, Float32Array>) {
  const names = [...expected.keys()].filter((name) => name.startsWith('gradient.'));
  const norms = new Map(names.map((name) => [name, Math.hypot(...partNorms(expected.get(name)!))]));
  const largest = Math.max(...norms.values());
  const error = (name: string) => relativeError(found.get(name) ?? new Float32Array(), expected.get(name)!);
  const judged = names.filter((name) => norms.get(name)! > small * largest);
  const left = names.filter((name) => !judged.includes(name));
  const worstOf = (some: readonly string[]) =>
    some
      .map((name) => [name.slice('gradient.'.length), error(name)] as const)
      .reduce((a, b) => (b[1] > a[1] ? b : a), ['', 0]);
  const [where, gradient] = worstOf(judged);
  const [whereSmall, ofSmall] = worstOf(left);
  const [loss, prediction] = [error('loss'), error('prediction')];
  return {
    loss: round(loss),
    prediction: round(prediction),
    gradients: judged.length,
    worst: round(gradient),
    where,
    ...(left.length > 0 && { small: { gradients: left.length, worst: round(ofSmall), where: whereSmall } }),
    ok: judged.length > 0 && loss <= tolerances.loss && gradient <= tolerances.gradient,
  };
}

/** Norms by parts: a call takes only so many arguments. */
function partNorms(values: Float32Array): number[] {
  const parts: number[] = [];
  for (let from = 0; from < values.length; from += 8192) parts.push(Math.hypot(...values.subarray(from, from + 8192)));
  return parts;
}

const round = (value: number) => (Number.isFinite(value) ? Number(value.toPrecision(2)) : String(value));
