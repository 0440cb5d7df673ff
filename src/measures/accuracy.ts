import { z } from 'zod';
import { counted, numberText } from '../counts.ts';
import type { MeasureChecks, MeasureDefinition, Numbers, Shown } from './define.ts';

/** What becomes of a picture's tokens: the option of measures of frozen features. */
export const pool = z
  .enum(['mean', 'cls', 'patches', 'pixels'])
  .optional()
  .describe(
    "A picture's feature: the mean of the encoder's patch tokens; its cls token; `patches`, all of them, so that it is known where they are; or `pixels`, the picture itself, of any size, without the model: what features must beat. Default: as `embed`, what the head of a classifier reads; of other models the mean.",
  );

/** The options with the feature that the model has, where none is named. */
export function completePool<Options extends { readonly pool?: z.output<typeof pool> }>(
  options: Options,
  { model }: Pick<MeasureChecks, 'model'>,
): Options {
  return { ...options, pool: options.pool ?? model.definition.pool?.(model.options) ?? 'mean' };
}

/** Of pixels: whether pictures may be of another size than the model takes. */
export function isOfAnySize({ pool }: { readonly pool?: string | undefined }): boolean {
  return pool === 'pixels';
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

interface Texts {
  /** `k-NN accuracy` */
  readonly what: string;
  /** Of the table in the report. */
  readonly heading: string;
  about(numbers: Numbers): string;
}

/** Values and texts of a measure that gives accuracies among classes: `top1`, `top5`, `resolution`, `largest` where it is known, and `modelClasses` where it is the model that answers. */
export function accuracies({
  what,
  heading,
  about,
}: Texts): Pick<MeasureDefinition, 'values' | 'format' | 'brief' | 'report'> {
  const title = ({ id, numbers }: Shown) => `${what} at ${numbers.resolution}${id.includes('#') ? ` (${id})` : ''}`;
  // `k-NN accuracy at 8×8: 71.2 % before, 83.4 % after; the largest class has 10.0 % (k 20; 10,000 pictures, answers from 60,000)`
  const brief = (shown: Shown) => {
    const { numbers, before } = shown;
    const [start, now] = [before, numbers].map((found) => found && percent(Number(found.top1)));
    const values = start === undefined ? now : `${start} before, ${now} after`;
    return `${title(shown)}: ${values}${largestText(numbers)} (${about(numbers)})`;
  };
  return {
    values: {
      top1: { title: 'top-1', better: 'higher', text: percent },
      top5: {
        title: 'top-5',
        better: 'higher',
        text: percent,
        // Among five classes each is among the first five.
        says: ({ modelClasses }) => modelClasses === undefined || Number(modelClasses) > 5,
      },
    },
    format: (shown) => [brief(shown), ...shown.notes],
    brief,
    report: { heading, title, about: ({ numbers }) => `${about(numbers)}${largestText(numbers)}` },
  };
}

/** What an answer that is always the same would reach. */
function largestText({ largest }: Numbers): string {
  return largest === undefined ? '' : `; the largest class has ${percent(Number(largest))}`;
}

/** `1,000 of 10,000 pictures` */
export function picturesText({ images, of }: Numbers): string {
  const all = counted(Number(of), 'picture');
  return images === of ? all : `${numberText(Number(images))} of ${all}`;
}

/** `1,000 of 10,000 pictures, answers from 5,000 of 60,000` */
export function answersText(numbers: Numbers): string {
  const [count, of] = [Number(numbers.against), Number(numbers.againstOf)];
  const share = count === of ? numberText(count) : `${numberText(count)} of ${numberText(of)}`;
  return `${picturesText(numbers)}, answers from ${share}${numbers.same ? ', the same pictures' : ''}`;
}

/** A warning where the pictures that are asked about are those that answer. */
export function sameNotes(id: string, { same }: Numbers): string[] {
  if (!same) return [];
  return [
    `Warning: ${id} asks about the very pictures that answer, each of which knows itself: this accuracy says nothing of other pictures. Name others in \`on\` or \`reference\`.`,
  ];
}

/** How many classes labels have, and the share of the most frequent. */
export function largestClass(labels: Iterable<number>): { readonly classes: number; readonly largest: number } {
  const counts = new Map<number, number>();
  let all = 0;
  for (const label of labels) {
    counts.set(label, (counts.get(label) ?? 0) + 1);
    all++;
  }
  return { classes: counts.size, largest: all === 0 ? 0 : Math.max(...counts.values()) / all };
}
