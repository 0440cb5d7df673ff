import { join } from 'node:path';
import { escapeHtml, htmlText } from '../../html.ts';
import type { Neighbour } from '../../runs/search/nearest.ts';
import { writeWhole } from '../../whole-file.ts';
import { Figures } from '../sheets/figures.ts';

export interface Answer {
  /** As it was asked: a file, or `key:KEY`. */
  readonly question: string;
  /** Its picture. */
  readonly file: string | undefined;
  readonly neighbours: readonly Neighbour[];
}

/**
 * Writes a page with each question and its neighbours, made small, with their distances.
 *
 * @param photos the folder that keys start at, where it is known. @returns what the page cannot show, in sentences. @throws FILE_WRITE
 */
export async function writeSheet(
  path: string,
  photos: string | undefined,
  answers: readonly Answer[],
): Promise<readonly string[]> {
  const figures = new Figures();
  const body = ['<h1>Neighbours</h1>'];
  for (const { question, file, neighbours } of answers) {
    body.push(`<h2>${escapeHtml(question)}</h2>`, await figures.figure(question, file, 'the question'));
    for (const { key, similarity } of neighbours) {
      const picture = photos === undefined ? undefined : join(photos, key);
      body.push(await figures.figure(key, picture, distanceText(similarity)));
    }
  }
  await writeWhole(path, htmlText('Neighbours', [...body, ...figures.html()]));
  return figures.lines();
}

/** The cosine distance, 0 for the same direction. */
export function distanceText(similarity: number): string {
  return (1 - similarity).toFixed(4);
}
