import { z } from 'zod';
import type { MeasureDefinition } from '../measures/define.ts';

/** When is measured, and which weights. */
export const timing = z.strictObject({
  weights: z
    .enum(['ema', 'model'])
    .optional()
    .describe(
      'Which weights are measured: the average that `train.ema` keeps, or those that are trained. Default: the average where there is one.',
    ),
  every: z
    .strictObject({
      steps: z.int().min(1).optional().describe('Steps between evaluations.'),
      epochs: z.number().positive().optional().describe('Epochs between evaluations, instead of steps.'),
    })
    .optional()
    .describe('Measures while it trains as well, each time on a checkpoint. Exactly one of steps and epochs.'),
  at: z
    .array(z.enum(['start', 'end']))
    .min(1)
    .optional()
    .describe(
      'When to measure: before the first step, after the last, or both. Default: frozen features at both, the others at the end.',
    ),
});

/** The parts of `evaluate` that are neither times nor measures. */
export const evaluateParts = ['source', 'stages', 'measures'] as const;

const known = new WeakMap<ReadonlyMap<string, MeasureDefinition>, ReturnType<typeof optionsWith>>();

/** The options of `evaluate` with the measures of a registry. The short form names each measure once; the full form lists `measures`. Made once, as their JSON schema is. */
export function evaluateOptions(measures: ReadonlyMap<string, MeasureDefinition>) {
  const options = known.get(measures) ?? optionsWith(measures);
  known.set(measures, options);
  return options;
}

function optionsWith(measures: ReadonlyMap<string, MeasureDefinition>) {
  const short = Object.fromEntries(
    [...measures.values()].map(({ name, summary, options }) => [name, options.describe(summary).optional()]),
  );
  return timing.extend({
    source: z.unknown().optional().describe('The samples it is evaluated on, where a measure names none.'),
    stages: z
      .unknown()
      .optional()
      .describe(
        'The stages; by default those of the pipeline, with random stages replaced by deterministic ones (random-resized-crop becomes resize, random-flip is left out).',
      ),
    measures: z
      .array(z.strictObject(short))
      .min(1)
      .optional()
      .describe(
        'What is measured, where the same measure is wanted more than once: on other data, with other options.',
      ),
    ...short,
  });
}

export type Timing = z.output<typeof timing>;
export type WrittenTiming = z.input<typeof timing>;
