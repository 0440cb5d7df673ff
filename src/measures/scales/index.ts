import { z } from 'zod';
import { fail } from '../../errors.ts';
import { kernels } from '../../vision/geometry.ts';
import { percent, picturesText } from '../accuracy.ts';
import { defineMeasure, type Numbers } from '../define.ts';

/** Accuracy against the size that pictures had: what recognition in small pictures is about. */
export const scales = defineMeasure({
  name: 'scales',
  summary:
    'Accuracy of a classifier against the size of the pictures: each is made smaller, and enlarged again to what the model takes.',
  options: z.strictObject({
    sizes: z
      .array(z.int().min(1).max(4096))
      .min(1)
      .max(32)
      .default([8, 16, 32, 64])
      .describe('Sides in pixels, none above that of the model’s pictures; at that side they stay as they are.'),
    kernel: z
      .enum(kernels)
      .default('bicubic')
      .describe(
        'How pictures are made smaller; all but nearest average the pixels in between. They are enlarged by bicubic.',
      ),
  }),
  needs: 'classifies',
  labels: true,
  fields: ['picture'],
  values: {
    mean: { title: 'mean top-1 over the sizes', text: percent },
    smallest: { title: 'top-1 at the smallest size', text: percent },
  },
  more: ({ sizes }) => sizes.map(numberOf),
  check({ sizes }, { data }) {
    const side = Math.min(...(data.on.spec.size ?? [Number.POSITIVE_INFINITY]));
    const large = sizes.find((size) => size > side);
    return large === undefined ? [] : [{ option: 'sizes', error: fail('SCALES_LARGE', { side, found: large }) }];
  },
  async run({ model, params, options, data: { on } }) {
    const { scaleAccuracy } = await import('./scale-accuracy.ts');
    const { batches, of } = await on.open();
    const { top1, images, largest } = await scaleAccuracy({ model, params, batches, ...options });
    const sizes = [...top1.keys()].sort((a, b) => a - b);
    const at = (size: number) => top1.get(size)!;
    const mean = sizes.reduce((sum, size) => sum + at(size), 0) / sizes.length;
    return {
      numbers: {
        ...{ mean, smallest: at(sizes[0]!) },
        ...Object.fromEntries(sizes.map((size) => [numberOf(size), at(size)])),
        ...{ resolution: on.resolution, largest, images, of },
      },
      tables: [
        {
          title: 'Accuracy against the size of the pictures',
          head: ['side, px', 'top-1'],
          rows: sizes.map((size) => [String(size), percent(at(size))]),
          about: `${picturesText({ images, of })}; the largest class has ${percent(largest)}.`,
          ...(sizes.length > 1 && { curve: { across: 'side, px', at: sizes, values: sizes.map(at), text: percent } }),
        },
      ],
    };
  },
  format: ({ numbers, notes }) => [lineOf(numbers), ...notes],
  brief: ({ numbers }) => lineOf(numbers),
  report: { heading: 'Classes' },
});

/** The name of the accuracy at a size among the numbers. */
function numberOf(size: number): string {
  return `at${size}`;
}

function lineOf(numbers: Numbers): string {
  const sizes = Object.entries(numbers).flatMap(([name, value]) => {
    const size = /^at(\d+)$/.exec(name)?.[1];
    return size === undefined ? [] : `${size} px ${percent(Number(value))}`;
  });
  return `Accuracy by size: ${sizes.join(', ')}; the largest class has ${percent(Number(numbers.largest))} (${picturesText(numbers)})`;
}
