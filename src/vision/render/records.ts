import { fail } from '../../errors.ts';
import { imageAddon, imageKinds, imageOutcomes, isAbsent } from '../../native.ts';
import type { Picture } from '../picture.ts';
import { isRenderable, nativeRenderer, refusal } from './native.ts';
import { planOf, stepInts, writeStep } from './plan.ts';

/** So many bytes are read and written in one call, which takes a few milliseconds at most. */
const callBytes = 2 ** 20;

/** Renders records of one array alike. */
export interface RecordRenderer {
  /** How many records to ask for in one call, so that the event loop does not wait for long. */
  readonly perCall: number;
  /**
   * Renders the records numbered `indices` into `out`, uint8 RGB [indices.length, height, width, 3], at once.
   * @throws PICTURE_REFUSED for indices beyond the data or an `out` that is too small, PICTURE_MEMORY
   */
  render(indices: Int32Array, out: Uint8Array): void;
}

/**
 * A renderer of the raw pictures in `data`, which all become what `template` describes of the first; nothing where native/image is absent or cannot do
 * it. What a small picture takes is far less than what handing it from thread to thread would.
 */
export function recordRenderer(template: Picture, data: Uint8Array): RecordRenderer | undefined {
  const { origin } = template;
  const addon = imageAddon();
  const plan = planOf([{ picture: template }]);
  if (isAbsent(addon) || isAbsent(nativeRenderer()) || plan === undefined) return undefined;
  if (origin.kind !== 'raw' || !isRenderable(origin)) return undefined;
  const head = 4 + plan.steps.length * stepInts;
  let ints = new Int32Array(head);
  ints.set([origin.channels === 3 ? imageKinds.rgb : imageKinds.grey, origin.width, origin.height, plan.steps.length]);
  for (const [i, step] of plan.steps.entries()) writeStep(ints, 4 + i * stepInts, step, plan.outputs.indexOf(i));
  const bytes = origin.data.length + template.width * template.height * 3;
  return {
    perCall: Math.max(1, Math.floor(callBytes / bytes)),
    render(indices, out) {
      if (ints.length !== head + indices.length) {
        const fitting = new Int32Array(head + indices.length);
        fitting.set(ints.subarray(0, head));
        ints = fitting;
      }
      ints.set(indices, head);
      if (outcomeOf(() => addon.renderRecords(ints, data, out)) === imageOutcomes.memory)
        throw fail('PICTURE_MEMORY', {});
    },
  };
}

function outcomeOf(call: () => number): number {
  try {
    return call();
  } catch (cause) {
    throw refusal(cause as Error);
  }
}
