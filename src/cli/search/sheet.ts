import { join } from 'node:path';
import { counted } from '../../counts.ts';
import { escapeHtml, htmlText, imageTag } from '../../html.ts';
import type { Neighbour } from '../../runs/search/nearest.ts';
import { thumbnailOf } from '../../vision/draw/thumbnail.ts';
import { writeWhole } from '../../whole-file.ts';

export interface Answer {
  /** As it was asked: a file, or `key:KEY`. */
  readonly question: string;
  /** Its picture. */
  readonly file: string | undefined;
  readonly neighbours: readonly Neighbour[];
}

/** Pictures of a page: more make it too large to be opened. */
const most = 2000;
const side = 180;

/**
 * Writes a page with each question and its neighbours, made small, with their distances. What cannot be read is named without its picture.
 *
 * @param photos the folder that keys start at, where it is known. @throws FILE_WRITE
 */
export async function writeSheet(path: string, photos: string | undefined, answers: readonly Answer[]): Promise<void> {
  const body = ['<h1>Neighbours</h1>'];
  let shown = 0;
  for (const { question, file, neighbours } of answers) {
    body.push(`<h2>${escapeHtml(question)}</h2>`, await figure(question, file, 'the question'));
    for (const { key, similarity } of neighbours) {
      const picture = photos === undefined || shown++ >= most ? undefined : join(photos, key);
      body.push(await figure(key, picture, distanceText(similarity)));
    }
  }
  if (shown > most) body.push(`<p>This page shows at most ${counted(most, 'picture')}; further ones are named.</p>`);
  await writeWhole(path, htmlText('Neighbours', body));
}

async function figure(name: string, file: string | undefined, about: string): Promise<string> {
  const small = file === undefined ? undefined : await thumbnailOf(file, side);
  const image = small === undefined ? '' : imageTag(name, 'image/jpeg', small);
  return `<figure>${image}<figcaption>${escapeHtml(name)}<br>${escapeHtml(about)}</figcaption></figure>`;
}

/** The cosine distance, 0 for the same direction. */
export function distanceText(similarity: number): string {
  return (1 - similarity).toFixed(4);
}
