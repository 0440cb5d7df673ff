import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { counted } from '../../counts.ts';
import { messageOf, printable } from '../../errors.ts';
import { FilePool } from '../../files/positioned.ts';
import { type TarEntry, tarEntries } from '../../formats/tar/entries.ts';
import { splitName } from '../../formats/tar/names.ts';
import { sizeText } from '../../pipeline/draw.ts';
import { exits } from '../command.ts';
import { type Inspection, twoColumns } from './inspection.ts';

/** So many keys and endings are shown. */
const shown = 5;
const windowBytes = 2 ** 16;

/** A tar in the form of `webdataset`: its samples, and what they are made of. A tar has no checksums of its files; --verify reads them all and tells one. */
export const tarInspection: Inspection = {
  what: 'a tar',
  async knows(path) {
    return path.endsWith('.tar');
  },
  async show(path, given, { stdout, stderr }) {
    const pool = new FilePool();
    const keys: string[] = [];
    const endings = new Map<string, number>();
    const digest = given.flag('verify') ? createHash('sha256') : undefined;
    let files = 0;
    let links = 0;
    let samples = 0;
    let last: string | undefined;
    let problem: string | undefined;
    let bytes = 0;
    try {
      const file = await pool.file(path, basename(path));
      bytes = file.size;
      const take = ({ name, kind }: TarEntry) => {
        if (kind === 'other') return;
        if (kind === 'link') {
          links++;
          return;
        }
        files++;
        const parts = splitName(name);
        const ending = parts === undefined ? 'without one' : parts.ending;
        endings.set(ending, (endings.get(ending) ?? 0) + 1);
        if (parts === undefined || parts.key === last) return;
        last = parts.key;
        samples++;
        if (keys.length < shown) keys.push(parts.key);
      };
      try {
        for await (const entry of tarEntries(file, { windowBytes })) {
          take(entry);
          for (let at = 0; digest !== undefined && entry.kind === 'file' && at < entry.size; at += windowBytes) {
            digest.update(await file.read(entry.offset + at, Math.min(windowBytes, entry.size - at)));
          }
        }
      } catch (error) {
        problem = messageOf(error);
      }
    } finally {
      pool.close();
    }
    const sha256 = digest?.digest('hex');
    const told = {
      name: basename(path),
      bytes,
      files,
      links,
      samples,
      endings: Object.fromEntries(endings),
      keys,
      sha256,
      problem,
    };
    if (given.flag('json')) {
      stdout.write(`${JSON.stringify(told, null, 2)}\n`);
    } else {
      const most = [...endings].sort(([, a], [, b]) => b - a).slice(0, shown);
      const rows: (readonly [string, string])[] = [
        [told.name, `${counted(samples, 'sample')}, ${counted(files, 'file')}, ${sizeText(bytes)}`],
        ...(links === 0 ? [] : [['links', `${links.toLocaleString('en')}, which are passed over`] as const]),
        ['endings', most.map(([ending, count]) => `${ending} ${count}`).join(', ')],
        ['keys', `${keys.join(', ')}${samples > keys.length ? ', …' : ''}`],
        ...(sha256 === undefined ? [] : [['sha256', `${sha256} of all files`] as const]),
      ];
      stdout.write(twoColumns(rows.map(([left, right]) => [printable(left), printable(right)])));
      if (problem !== undefined) stderr.write(`${problem}\n`);
    }
    return problem === undefined ? exits.ok : exits.failed;
  },
};
