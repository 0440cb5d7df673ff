import { z } from 'zod';
import { pathOption } from '../../files/path-option.ts';

/** The options at the top of a pipeline, beside source, stages, sink, train and evaluate. */
export const settings = z.strictObject({
  name: z
    .string()
    .regex(/^[\w][\w.-]{0,99}$/, 'letters, digits, `.`, `_` and `-`, at most 100')
    .describe('Name of the pipeline and of its run. Default: the name of its file.'),
  seed: z.int().min(0).max(4_294_967_295).default(0).describe('The seed of all chance.'),
  output: pathOption().describe('The run’s folder. Default: runs/<name>, in the working directory.'),
  permits: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .describe(
      'Most samples in flight. Default: 4 × threads, at least 32, and more while reads take long, as far as their files take no more than a sixteenth of the memory or 192 MiB.',
    ),
  threads: z
    .union([z.literal('auto'), z.int().min(1).max(1024)])
    .optional()
    .describe('Loader threads. Default, `auto`: one per core, and in a training as many as keep the trainer busy.'),
  reads: z
    .union([z.literal('auto'), z.int().min(1).max(1024)])
    .optional()
    .describe(
      'Reads of the source in flight. Default, `auto`: twice the threads, at least 8, and as many more, up to 256, as keep the renderer fed where reads wait for a disk or a network.',
    ),
  cells: z
    .int()
    .min(2)
    .max(1_000_000)
    .optional()
    .describe('Rendered samples that wait for the trainer. Default: 3 × the micro-batch.'),
});
