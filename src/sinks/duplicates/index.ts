import { z } from 'zod';
import { fail } from '../../errors.ts';
import { thumbnailSide } from '../../vision/likeness/cosine-transform.ts';
import { type Bounds, NearDuplicates } from '../../vision/likeness/near-duplicates.ts';
import { jsonLine, type Line, lineForm } from '../durable/lines.ts';
import { RollingFiles } from '../durable/rotating-files.ts';
import { rollingFolder, rollingOptions } from '../durable/rotating-options.ts';
import { defineSink, type OpenSink } from '../sink.ts';
import { Groups, summaryOf } from './groups.ts';
import { likeRow, type PictureRow, readRows, thumbnailIn } from './row.ts';

/** Of a sample what is compared. */
interface Compared {
  readonly key: string;
  readonly position: number;
  readonly thumbnail: Uint8Array;
}

/**
 * Compares each picture with all before it, by the field `thumbnail` of the stage `perceptual-hash`, and writes a line of JSON for it with those that it looks like:
 * `duplicates/<name>-00000.jsonl` (`PictureRow`). Each pair is looked at once, also over kills: a job that resumes reads the pictures of its finished files, and is refused
 * where they are not its own. The same files in every run. A sample fails with FIELD_SHAPE; SINK_WRITE, SHARDS_OTHER, SHARDS_CHANGED, DUPLICATES_ROW end the run.
 */
export const duplicates = defineSink({
  name: 'duplicates',
  summary: 'Finds near-duplicates: a line of JSON for each picture, with the earlier ones that it looks like.',
  watched: true,
  options: z.strictObject({
    above: z
      .number()
      .min(0.9)
      .max(1)
      .default(0.97)
      .describe(
        'Of crops and mirror images: how alike they are at least where they lie over each other; 1 is the same picture.',
      ),
    within: z
      .int()
      .min(0)
      .max(96)
      .default(60)
      .describe('Of pictures as they are: in how many bits of 255 their hashes may differ; 0 is the same hash.'),
    ...rollingOptions('duplicates', 'a file'),
  }),
  *check(_, { open, fields }) {
    if (open || fields.thumbnail !== undefined) return;
    const found = Object.keys(fields).join(', ') || 'none';
    const advice = 'Put `perceptual-hash` before it.';
    yield { error: fail('FIELD_MISSING', { owner: 'duplicates', field: 'thumbnail', fields: found, advice }) };
  },
  writes: ({ path }, place) => [rollingFolder('duplicates', path, place)],
  async open({ above, within, path, shardBytes }, context) {
    const { own, name, job } = context;
    const folder = rollingFolder('duplicates', path, context);
    const files = await RollingFiles.open<Line>({
      folder,
      output: own,
      stem: name,
      ending: '.jsonl',
      limit: shardBytes,
      job,
      form: () => lineForm,
    });
    const known = await Known.read(files.paths, { above, within }).catch(async (error) => {
      await files.close(false);
      throw error;
    });
    const sink: OpenSink<Compared> = {
      resumed: files.resumed,
      async write(sample) {
        const { key, position, thumbnail } = sample as typeof sample & { readonly thumbnail?: unknown };
        if (thumbnail instanceof Uint8Array && thumbnail.length === thumbnailSide ** 2)
          return { key, position, thumbnail };
        const expected = `uint8 [${thumbnailSide}, ${thumbnailSide}]`;
        throw fail('FIELD_SHAPE', { field: 'thumbnail', expected, found: String(thumbnail).slice(0, 20) });
      },
      commit(compared) {
        return files.add(jsonLine(compared.position, JSON.stringify(known.add(compared))));
      },
      flush: (to) => files.flush(to),
      async close(complete) {
        const { files: made } = await files.close(complete);
        return { lines: [`${known.summary()}: ${folder}`], files: made };
      },
    };
    return sink;
  },
});

/** The pictures that a job has compared so far. */
class Known {
  readonly #finder: NearDuplicates;
  readonly #pictures: { readonly key: string; readonly position: number }[] = [];
  readonly #groups = new Groups();

  private constructor(bounds: Bounds) {
    this.#finder = new NearDuplicates(bounds);
  }

  /** Those of finished files. @throws DUPLICATES_ROW */
  static async read(paths: readonly string[], bounds: Bounds): Promise<Known> {
    const known = new Known(bounds);
    for await (const row of readRows(paths)) {
      known.#finder.keep(thumbnailIn(row));
      known.#enter(row);
    }
    return known;
  }

  add({ key, position, thumbnail }: Compared): PictureRow {
    const like = this.#finder.add(thumbnail).map((found) => likeRow(key, this.#pictures[found.other]!, found));
    const row = { key, position, thumbnail: Buffer.from(thumbnail).toString('base64'), like };
    this.#enter(row);
    return row;
  }

  summary(): string {
    return summaryOf(this.#groups.pictures, this.#groups.list());
  }

  #enter({ key, position, like }: PictureRow): void {
    this.#pictures.push({ key, position });
    this.#groups.add({ key, position, like });
  }
}
