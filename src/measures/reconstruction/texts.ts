import { counted } from '../../counts.ts';
import type { MeasureTable, Numbers, Quantity } from '../define.ts';

/** Simple ways to fill hidden pixels, which a reconstruction is compared with. The last is for models that see the picture at low resolution. */
export const baselines = ['mean-patch', 'nearest-patch', 'smooth-fill', 'low-resolution'] as const;
export type Baseline = (typeof baselines)[number];

/** Who restores, by the names of the errors: in the terminal, and in the report, which lists them in this order. */
const names = {
  ours: ['this model', 'This model'],
  smoothFill: ['smooth fill', 'Smooth fill'],
  meanPatch: ['mean patch', 'Mean patch'],
  nearestPatch: ['nearest patch', 'Nearest patch'],
  lowResolution: ['low resolution, bicubic', 'Low-resolution picture, bicubic'],
  lowResolutionNearest: ['low resolution, nearest', 'Low-resolution picture, as the model sees it'],
} as const;

const errorText = (error: number) => error.toFixed(4);

/** The values of the measure, the model's own first. */
export const errorTexts: Readonly<Record<string, Quantity>> = Object.fromEntries(
  Object.entries(names).map(([name, [, title]]) => [
    name,
    { title, better: 'lower' as const, text: errorText, ...(name === 'ours' && { column: 'reconstruction error' }) },
  ]),
);

/** The errors with the names of who restores. */
function errorsOf(numbers: Numbers) {
  return Object.entries(names).flatMap(([name, [text, title]]) =>
    numbers[name] === undefined ? [] : [{ text, title, error: Number(numbers[name]) }],
  );
}

/** A table, the best first, and the verdict against one of the simple restorers, where that was measured. */
export function reconstructionLines(numbers: Numbers, baseline: Baseline): string[] {
  const errors = errorsOf(numbers).sort((a, b) => a.error - b.error);
  const width = Math.max(13, ...errors.map(({ text }) => text.length));
  const [ours, theirs] = [Number(numbers.ours), baselineError(numbers, baseline)];
  // Where nothing is shown of a picture there is nothing for simple restorers: it was restored from its codes.
  const what = numbers.meanPatch === undefined ? 'all pixels, restored from codes,' : 'the hidden pixels';
  return [
    `Error on ${what} of ${counted(Number(numbers.images), 'picture')} (1 is guessing the mean colour):`,
    ...errors.map(({ text, error }) => `  ${text.padEnd(width)} ${errorText(error)}`),
    ...(theirs === undefined ? [] : [verdict(ours, theirs, baseline)]),
  ];
}

function verdict(ours: number, theirs: number, baseline: Baseline): string {
  return ours < theirs
    ? `It restores better than ${baseline}: ${ours.toFixed(3)} against ${theirs.toFixed(3)}.`
    : `${baseline} restores better: ${theirs.toFixed(3)} against ${ours.toFixed(3)}.`;
}

/** The error of one of the simple restorers, whose names are those of the errors with hyphens; undefined when it was not measured. */
function baselineError(numbers: Numbers, baseline: Baseline): number | undefined {
  const error = numbers[baseline.replace(/-./, ([, letter]) => letter!.toUpperCase())];
  return error === undefined ? undefined : Number(error);
}

export function errorTable(numbers: Numbers): MeasureTable {
  return {
    title: 'Held-out reconstruction',
    head: ['', 'mean squared error, normalised pixels'],
    rows: errorsOf(numbers).map(({ title, error }) => [title, errorText(error)]),
  };
}
