import { z } from 'zod';
import { counted } from '../counts.ts';
import { type Entry, type Form, RollingFiles } from './durable/rotating-files.ts';
import { rollingFolder, rollingOptions } from './durable/rotating-options.ts';
import { plainJson } from './plain-fields.ts';
import { defineSink, type OpenSink } from './sink.ts';

interface Written extends Entry {
  readonly line: Uint8Array;
}

/** A file of lines needs nothing around them. */
const form: Form<Written> = {
  head: () => [],
  entry: ({ line }) => [line],
  tail: () => [],
};

/**
 * A line of JSON for each sample: key, position, and every field but pictures and bytes. `jsonl/<name>-00000.jsonl`; a job that was killed goes on
 * behind its last finished file. A sample fails with RECORD_FIELD; SINK_WRITE, SHARDS_OTHER and SHARDS_CHANGED end the run.
 */
export const toJsonl = defineSink({
  name: 'jsonl',
  summary: 'A line of JSON for each sample: its key and its fields, without pictures.',
  parts: true,
  options: z.strictObject({
    ...rollingOptions('jsonl', 'a file'),
  }),
  writes: ({ path }, place) => [rollingFolder('jsonl', path, place)],
  async open({ path, shardBytes }, context) {
    const { own, name, job } = context;
    const folder = rollingFolder('jsonl', path, context);
    const files = await RollingFiles.open<Written>({
      folder,
      output: own,
      stem: name,
      ending: '.jsonl',
      limit: shardBytes,
      job,
      form: () => form,
    });
    const sink: OpenSink<Written> = {
      resumed: files.resumed,
      async write(sample) {
        const line = Buffer.from(`${plainJson(sample)}\n`);
        return { position: sample.position, line, bytes: line.length };
      },
      commit: (written) => files.add(written),
      flush: (to) => files.flush(to),
      async close(complete) {
        const { files: made, samples } = await files.close(complete);
        return { lines: [`${counted(samples, 'line')} in ${folder}`], files: made };
      },
    };
    return sink;
  },
});
