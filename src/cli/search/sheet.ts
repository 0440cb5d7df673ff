import { escapeHtml, htmlText } from '../../html.ts';
import type { Neighbour } from '../../runs/search/nearest.ts';
import { writeWhole } from '../../whole-file.ts';
import { Figures } from '../sheets/figures.ts';
import { type PicturesFrom, pictureAt, withPictures } from '../sheets/pictures.ts';

export interface Answer {
  /** As it was asked: a file, or `key:KEY`. */
  readonly question: string;
  readonly neighbours: readonly Neighbour[];
}

/**
 * Writes a page with each question and its neighbours, made small, with their distances.
 *
 * @returns what the page cannot show, in sentences. @throws FILE_WRITE
 */
export async function writeSheet(
  path: string,
  from: PicturesFrom,
  answers: readonly Answer[],
): Promise<readonly string[]> {
  const figures = new Figures();
  const body = ['<h1>Neighbours</h1>'];
  const keys = answers.flatMap(({ question, neighbours }) => [
    ...neighbours.map(({ key }) => key),
    ...[keyOf(question) ?? []].flat(),
  ]);
  await withPictures(from, keys, async (find) => {
    for (const { question, neighbours } of answers) {
      const asked = keyOf(question);
      const picture = asked === undefined ? pictureAt(question) : find(asked);
      body.push(`<h2>${escapeHtml(question)}</h2>`, await figures.figure(question, picture, 'the question'));
      for (const { key, similarity } of neighbours)
        body.push(await figures.figure(key, find(key), distanceText(similarity)));
    }
  });
  await writeWhole(path, htmlText('Neighbours', [...body, ...figures.html()]));
  return figures.lines();
}

/** The key that a question asks by; nothing of a file. */
function keyOf(question: string): string | undefined {
  return question.startsWith('key:') ? question.slice('key:'.length) : undefined;
}

/** The cosine distance, 0 for the same direction. */
export function distanceText(similarity: number): string {
  return (1 - similarity).toFixed(4);
}
