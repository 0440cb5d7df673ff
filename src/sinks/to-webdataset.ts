import { z } from 'zod';
import { counted } from '../counts.ts';
import { fail } from '../errors.ts';
import { blockBytes, padded } from '../formats/tar/entries.ts';
import { memberKey } from '../formats/tar/names.ts';
import { TarPieces, tarEnd } from '../formats/tar/write.ts';
import { formatEndings, sniff } from '../vision/headers/formats.ts';
import { type Entry, type Form, RollingFiles } from './durable/rotating-files.ts';
import { rollingFolder, rollingOptions } from './durable/rotating-options.ts';
import { plainJson } from './plain-fields.ts';
import { defineSink, type OpenSink } from './sink.ts';
import {
  checkPictures,
  defaultPictures,
  formatOf,
  keepOf,
  makesFiles,
  type PicturesAs,
  pictureOptions,
  storedPerThread,
  storePicture,
} from './stored-picture.ts';

interface Written extends Entry {
  readonly key: string;
  /** What stands behind the dot, and the bytes of the file. */
  readonly members: readonly (readonly [ending: string, bytes: Uint8Array])[];
}

/** What a tar can keep of a picture: a file. */
const filesAs = ['file', 'jpeg', 'png', 'webp'] as const satisfies readonly PicturesAs[];

/**
 * Tars as the Python package `webdataset` reads them, `webdataset/<name>-00000.tar`: of each sample its picture (`.jpg`, `.png`, `.webp`), its label
 * (`.cls`) where it has one, and its other fields with its own key (`.json`). Members are called by the sample's position, since a key of such a tar
 * has no dots and must not occur twice. A job that was killed resumes after its last finished tar, and ends with the same files, byte for byte.
 * A sample fails with RECORD_FIELD, RECORD_FILE, PICTURE_BROKEN; SINK_WRITE, SHARDS_OTHER and SHARDS_CHANGED end the run.
 */
export const toWebdataset = defineSink({
  name: 'webdataset',
  summary: 'Tars that the Python package webdataset reads: picture, label and fields of each sample.',
  parts: true,
  options: z.strictObject({
    ...rollingOptions('webdataset', 'a tar'),
    ...pictureOptions,
    pictures: z
      .enum(filesAs)
      .optional()
      .describe(
        'What is kept of a picture: a new `jpeg`, `png` (every pixel) or `webp` of what the stages have made of it, or the `file` as it was. Default: `jpeg`; `file` where no stage has opened it.',
      ),
  }),
  check: ({ pictures, ...options }, spec) => checkPictures(pictures ?? defaultPictures(spec, 'jpeg'), spec, options),
  writes: ({ path }, place) => [rollingFolder('webdataset', path, place)],
  async open({ path, pictures, quality, chroma, optimize, shardBytes }, context) {
    const { own, name, spec, job } = context;
    const folder = rollingFolder('webdataset', path, context);
    const kept = pictures ?? defaultPictures(spec, 'jpeg');
    const files = await RollingFiles.open<Written>({
      folder,
      encodes: formatOf(kept),
      output: own,
      stem: name,
      ending: '.tar',
      limit: shardBytes,
      job,
      form: () => new TarForm(),
    });
    const keep = keepOf(kept, { quality, chroma, optimize }, files.encoder);
    const sink: OpenSink<Written> = {
      resumed: files.resumed,
      perThread: storedPerThread(keep),
      letsGo: makesFiles(keep),
      async write(sample) {
        const { key, position, label } = sample;
        const { data } = await storePicture(sample, keep);
        const members: (readonly [string, Uint8Array])[] = [[endingOf(data), data]];
        if (typeof label === 'number') members.push(['cls', Buffer.from(String(label))]);
        members.push(['json', Buffer.from(plainJson(sample))]);
        const bytes = members.reduce((sum, [, { length }]) => sum + blockBytes + padded(length), 0);
        return { key, position, members, bytes };
      },
      commit: (written) => files.add(written),
      flush: (to) => files.flush(to),
      async close(complete) {
        const { files: made, samples } = await files.close(complete);
        return { lines: [`${counted(samples, 'sample')} in ${counted(made.length, 'tar')} in ${folder}`], files: made };
      },
    };
    return sink;
  },
});

/** A tar while it is written. */
class TarForm implements Form<Written> {
  #position = -1;
  #part = 0;
  readonly #pieces = new TarPieces();

  head(): readonly Uint8Array[] {
    return [];
  }

  entry({ key, position, members }: Written): readonly Uint8Array[] {
    // The parts of a sample come one after the other, all into one tar.
    this.#part = position === this.#position ? this.#part + 1 : 0;
    this.#position = position;
    const name = memberKey(key, position, this.#part);
    return this.#pieces.of(members.map(([ending, bytes]) => [`${name}.${ending}`, bytes]));
  }

  tail(): readonly Uint8Array[] {
    return [tarEnd];
  }
}

/** The ending of a picture's file, by its first bytes. */
function endingOf(bytes: Uint8Array): string {
  const { format, what } = sniff(bytes);
  if (format === undefined)
    throw fail('RECORD_FILE', { found: what, advice: 'Put `decode` before it, which says more.' });
  return formatEndings[format][0]!.slice(1);
}
