import { readdirSync, readFileSync } from 'node:fs';
import { manifest } from '../../../src/sources/tables/manifest.ts';
import { parquet } from '../../../src/sources/tables/parquet.ts';
import type { TableSeed } from '../table-mutations.ts';

/** Lists of twelve pictures of three classes, with boxes, fields and splits: CSV and JSON Lines of the same rows. */
export function manifestSeeds(): TableSeed[] {
  const names = ['angry', 'happy', 'sad'];
  const rows = Array.from({ length: 12 }, (_, i) => ({
    path: `p/${i % 10}.jpg`,
    label: names[(i * 7) % 3]!,
    box: [i, 2 * i, 10 + i, 20],
    age: i / 4,
    split: i % 4 === 3 ? 'test' : 'train',
    who: `per"son, ${i % 5}`,
  }));
  const cell = (value: unknown) => `"${String(value).replaceAll('"', '""')}"`;
  const csv = ['path,label,box,age,split,who', ...rows.map((row) => Object.values(row).map(cell).join(','))].join(
    '\r\n',
  );
  const jsonl = rows.map((row) => JSON.stringify(row)).join('\n');
  const beside = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`p/${i}.jpg`, `${i}`]));
  const options = {
    ...{ labels: true, boxes: true, split: 'train' },
    fields: { age: { dtype: 'float32' }, who: { dtype: 'text' } },
  };
  const seed = (name: string, text: string, more: object): TableSeed => ({
    ...{ definition: manifest.definition, name, bytes: Buffer.from(text), option: 'file', beside },
    options: { ...options, ...more },
    // A sample's class is one that stands in the file, and its picture is the file that its key names.
    isSound({ classNames, key }, index, { bytes, label, box }, mutated) {
      const name = classNames?.[label as number];
      const [path] = key(index).split('#');
      return (
        name !== undefined &&
        (mutated.toString().normalize('NFC').includes(name) || JSON.stringify(name).includes('\\')) &&
        `p/${Buffer.from(bytes as Uint8Array)}.jpg` === path &&
        (box as Int32Array).length === 4
      );
    },
  });
  return [seed('l.csv', csv, {}), seed('l.jsonl', jsonl, {}), seed('l.csv', csv, { classes: names })];
}

/** Tables as pyarrow writes them, of all packings, versions of pages and dictionaries; labels by number and by name. */
export function parquetSeeds(): TableSeed[] {
  const folder = 'fixtures/parquet';
  return readdirSync(folder).flatMap((name) =>
    ['label', 'name'].map(
      (label): TableSeed => ({
        ...{
          definition: parquet.definition,
          name: 'table.parquet',
          bytes: readFileSync(`${folder}/${name}`),
          option: 'path',
        },
        options: { labels: true, columns: { label }, boxes: true, fields: { name: { dtype: 'text' } } },
        beside: {},
        // Where its names have another key by now, a label is the number that it was.
        isSound: ({ classNames }, _, { bytes, label, name }) =>
          bytes instanceof Uint8Array &&
          typeof name === 'string' &&
          Number.isInteger(label) &&
          (classNames === undefined || typeof classNames[label as number] === 'string'),
      }),
    ),
  );
}
