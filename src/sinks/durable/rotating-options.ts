import { join, resolve } from 'node:path';
import { z } from 'zod';
import { pathOption } from '../../files/path-option.ts';
import type { SinkContext } from '../sink.ts';

/** The options of a sink of durable files: `name` is that of its folder, `file` what one of them is called in sentences. */
export function rollingOptions(name: string, file: string) {
  return {
    path: pathOption()
      .optional()
      .describe(
        `The folder to write; a relative path starts at the pipeline file. Default: \`${name}\` in the run's own folder.`,
      ),
    shardBytes: z
      .int()
      .min(1)
      .max(2 ** 40)
      .default(2 ** 28)
      .describe(
        `About how many bytes ${file} has at most; one sample is never divided, and a killed job resumes after its last whole one.`,
      ),
  };
}

/** The folder that the options mean. */
export function rollingFolder(
  name: string,
  path: string | undefined,
  { base, output }: Pick<SinkContext, 'base' | 'output'>,
): string {
  return path === undefined ? join(output, name) : resolve(base, path);
}
