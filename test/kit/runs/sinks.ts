import type { SinkContext } from '../../../src/sinks/sink.ts';

/** What a sink is opened with in a run of its own that writes to `output`. */
export function sinkContext(output: string, { job, ...more }: Partial<SinkContext> = {}): SinkContext {
  return {
    base: output,
    output,
    own: output,
    spec: { fields: {} },
    name: 'test',
    job: {
      recipe: { digest: 'recipe', job: 'job', pipeline: { name: 'test' } },
      from: 0,
      to: 1000,
      source: { count: 1000, keys: 'keys' },
      fresh: false,
      versions: { patchstream: '0.0.0' },
      ...job,
    },
    ...more,
  };
}
