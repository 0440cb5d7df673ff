import { z } from 'zod';

/** The options that every stage has beside its own (`StagePolicy`). */
export const policyOptions = z.strictObject({
  id: z
    .string()
    .regex(/^[A-Za-z0-9][\w#-]*$/, 'letters, digits, `-`, `_` and `#`')
    .optional()
    .describe(
      'Name of this stage in logs and errors, and the key of its chance. Default: its name, `name#2` for the second of that name.',
    ),
  concurrency: z
    .int()
    .min(1)
    .max(1024)
    .optional()
    .describe(
      'How many samples are worked on at a time. Order is kept. Default: as many as there are loader threads; some stages more.',
    ),
  timeout: z
    .number()
    .positive()
    .max(86_400)
    .optional()
    .describe('Seconds until a sample in the stage counts as failed. Default 60.'),
  maxFailures: z
    .union([z.int().min(0), z.string().regex(/^\d+(\.\d+)?%$/, 'a number from 0, or a share such as 5%')])
    .optional()
    .describe('How many samples may fail: a number, or a share, judged after the first hundred. Default 5%.'),
});
