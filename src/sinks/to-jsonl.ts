import { z } from 'zod';
import { counted } from '../counts.ts';
import { jsonLine, type Line, lineForm } from './durable/lines.ts';
import { RollingFiles } from './durable/rotating-files.ts';
import { rollingFolder, rollingOptions } from './durable/rotating-options.ts';
import { plainJson } from './plain-fields.ts';
import { defineSink, type OpenSink } from './sink.ts';

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
    const files = await RollingFiles.open<Line>({
      folder,
      output: own,
      stem: name,
      ending: '.jsonl',
      limit: shardBytes,
      job,
      form: () => lineForm,
    });
    const sink: OpenSink<Line> = {
      resumed: files.resumed,
      async write(sample) {
        return jsonLine(sample.position, plainJson(sample));
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
