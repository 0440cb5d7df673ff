import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { counted } from '../../counts.ts';
import { printable } from '../../errors.ts';
import { escapeHtml, htmlText } from '../../html.ts';
import type { WithPrediction } from '../../inference/predict.ts';
import { writeWhole } from '../../whole-file.ts';
import { type Cell, tableLines } from '../figures/table.ts';
import { Figures, mostFigures } from '../sheets/figures.ts';
import { type PicturesFrom, withPictures } from '../sheets/pictures.ts';

interface Row {
  readonly key: string;
  /** The likeliest first. */
  readonly label: readonly string[];
  readonly probability: readonly number[];
}

/** What `predict` has written. */
export interface Predictions {
  /** The first of them, as many as a page may show. */
  readonly rows: readonly Row[];
  readonly count: number;
  /** How many there are of each class, by its name, the most frequent first. */
  readonly classes: readonly (readonly [name: string, count: number])[];
}

/** Reads the lines of a folder. */
export async function readPredictions(folder: string): Promise<Predictions> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.jsonl')).sort();
  const rows: Row[] = [];
  const counts = new Map<string, number>();
  let count = 0;
  for (const file of files) {
    for await (const line of createInterface({ input: createReadStream(join(folder, file)) })) {
      const { key, label, probability } = JSON.parse(line) as WithPrediction & { readonly key: string };
      count += 1;
      counts.set(label[0]!, (counts.get(label[0]!) ?? 0) + 1);
      if (rows.length < mostFigures) rows.push({ key, label, probability: Array.from(probability) });
    }
  }
  return { rows, count, classes: [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)) };
}

/** Pictures that are printed one by one. */
const most = 20;

/** The first pictures with their classes, and how many there are of each class. Safe to be shown. @param columns of the terminal, where it is one. */
export function predictionLines({ rows, count, classes }: Predictions, folder: string, columns?: number): string[] {
  const table = rows
    .slice(0, most)
    .map(({ key, label, probability }): Cell[] => [
      { text: key, cut: 'start' },
      ...label.map((name, i): Cell => ({ text: name, cut: 'end', tail: probability[i]!.toFixed(2) })),
    ]);
  const lines = tableLines(table, { columns });
  if (count > table.length) lines.push(`… and ${counted(count - table.length, 'picture')} more in ${folder}`);
  if (count > 0) lines.push(classes.map(([name, of]) => `${printable(name)}: ${of}`).join(', '));
  return lines;
}

/**
 * Writes a page with the pictures of each class, the surest first.
 *
 * @returns what the page cannot show, in sentences. @throws FILE_WRITE
 */
export async function writePredictionSheet(
  path: string,
  from: PicturesFrom,
  { rows, count, classes }: Predictions,
): Promise<readonly string[]> {
  const figures = new Figures();
  const body = ['<h1>Predictions</h1>'];
  const keys = rows.map(({ key }) => key);
  await withPictures(from, keys, async (find) => {
    for (const [name, of] of classes) {
      body.push(`<h2>${escapeHtml(name)}: ${of}</h2>`);
      const own = rows.filter(({ label }) => label[0] === name);
      for (const { key, label, probability } of own.sort((a, b) => b.probability[0]! - a.probability[0]!)) {
        const about = label.map((one, i) => `${one} ${probability[i]!.toFixed(2)}`).join(', ');
        body.push(await figures.figure(key, find(key), about));
      }
    }
  });
  figures.left(count - rows.length);
  await writeWhole(path, htmlText('Predictions', [...body, ...figures.html()]));
  return figures.lines();
}
