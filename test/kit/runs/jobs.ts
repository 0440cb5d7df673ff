import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { definePipeline } from '../../../src/runs/loader/define.ts';
import { type RunOptions, run } from '../../../src/runs/run.ts';
import type { Sink } from '../../../src/sinks/sink.ts';
import { toNpy } from '../../../src/sinks/to-npy.ts';
import { toParquet } from '../../../src/sinks/to-parquet.ts';
import { toShards } from '../../../src/sinks/to-shards.ts';
import type { OpenSource, SourceDefinition } from '../../../src/sources/source.ts';
import { defineSource } from '../../../src/sources/source.ts';
import { defineStage } from '../../../src/stages/stage.ts';
import type { Sample } from '../../../src/streams/sample.ts';
import type { Stage } from '../../../src/streams/stage.ts';
import { rawPicture } from '../../../src/vision/picture.ts';
import { vectors } from '../vectors.ts';

/** Raw pictures of no file: sample i is [8, 8, 3], all of its values i mod 251, with label i mod 10. */
export const numbered = defineSource({
  name: 'numbered',
  summary: 'Raw pictures, each of one value.',
  options: z.strictObject({ count: z.int(), name: z.string().default('n') }),
  spec: () => ({ fields: { picture: 'picture', label: { dtype: 'int32', shape: [] } } }),
  async open({ count, name }) {
    return {
      count,
      key: (index) => `${name}/${index}.png`,
      read: (index) => ({
        picture: rawPicture({ data: new Uint8Array(192).fill(index % 251), width: 8, height: 8, channels: 3 }),
        label: index % 10,
      }),
    };
  },
});

/** Runs a job of numbered pictures into a sink. */
export function runNumbered(
  output: string,
  sink: Sink,
  {
    count = 50,
    name = 'n',
    stages = [] as Stage[],
    ...options
  }: RunOptions & { count?: number; name?: string; stages?: Stage[] } = {},
) {
  return run(
    definePipeline({ name: 'job', source: numbered({ count, name }), stages, sink, output } as never),
    options,
  );
}

/** Every eleventh sample fails, the others become none, one or two. Not a function of a program, whose text would be part of the recipe. */
const parts = defineStage({
  name: 'parts',
  summary: 'Becomes none, one or two.',
  options: z.strictObject({ most: z.int().default(2) }),
  needs: [],
  output: (spec) => spec,
  run:
    ({ most }) =>
    (sample: Sample) => {
      if (sample.position % 11 === 5) throw new Error('broken');
      return Array.from({ length: sample.position % (most + 1) }, () => sample);
    },
});

/** The sinks of jobs that are killed, by their names, which are those of their folders: a file holds a few samples. */
const killedSinks = {
  shards: () => toShards({ shardBytes: 4000 }),
  parquet: () => toParquet({ shardBytes: 700 }),
  npy: () => toNpy({ shardBytes: 400 }),
};
export type KilledSink = keyof typeof killedSinks;

/**
 * The job that is killed and begun again: every sample becomes none, one or two, every eleventh fails, and a file holds a few.
 */
export function runKilled(output: string, count: number, options: RunOptions = {}, sink: KilledSink = 'shards') {
  return runNumbered(output, killedSinks[sink](), {
    count,
    stages: [parts({ maxFailures: '50%' }), ...(sink === 'shards' ? [] : [vectors()])],
    ...options,
  });
}

/** Opens a source that reads what lies in `base`. */
export function openSource<Options>(
  definition: SourceDefinition<Options>,
  written: unknown,
  { base = '.', progress = () => {} }: { base?: string; progress?: (text: string) => void } = {},
): Promise<OpenSource> {
  return definition.open(definition.options.parse(written), { base, signal: new AbortController().signal, progress });
}

/** The files of a folder by their names. */
export function filesOf(folder: string): Record<string, Buffer> {
  return Object.fromEntries(
    readdirSync(folder)
      .sort()
      .map((name) => [name, readFileSync(join(folder, name))]),
  );
}
