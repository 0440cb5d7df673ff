import { z } from 'zod';
import { Damage } from './frame.ts';

const sides = z.array(z.int().min(0)).max(32);

/** Loose: a later version may say more, which is passed over. */
const info = z.looseObject({
  name: z.string().describe('The run that wrote it.'),
  shard: z.int().min(0).describe('Its number among the shards of that run.'),
  from: z.int().min(0).describe('The first position it may have.'),
  part: z.tuple([z.int(), z.int()]).optional().describe('[i, n] of a run in n parts.'),
  recipe: z.looseObject({
    digest: z.string(),
    job: z.string().optional().describe('The digest without the part: equal for all parts of a job.'),
    pipeline: z.unknown(),
  }),
  source: z.looseObject({ count: z.int().min(0), keys: z.string() }),
  fields: z
    .record(
      z.string(),
      z.union([
        z.enum(['picture', 'bytes', 'text']),
        z.looseObject({ dtype: z.string(), shape: sides }),
        z.looseObject({ picture: sides.nullable() }),
      ]),
    )
    .optional()
    .describe('The fields of its records, where the chain that made them says so.'),
  origins: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('Which trained models have made fields whose shapes the chain does not say.'),
  size: sides.optional(),
  classes: z.array(z.string()).optional(),
  versions: z.record(z.string(), z.string()),
});

/** What a shard says of itself, in its first frame. */
export type ShardInfo = z.output<typeof info>;

/** The header of a frame INFO. @throws Damage */
export function parseInfo(header: unknown): ShardInfo {
  const { success, data } = info.safeParse(header);
  if (!success) throw new Damage('a head of another form');
  return data;
}
