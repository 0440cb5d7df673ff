import { escapeHtml, htmlText } from '../../html.ts';
import { type Group, howLike, summaryOf } from '../../sinks/duplicates/groups.ts';
import { writeWhole } from '../../whole-file.ts';
import { Figures, mostFigures } from '../sheets/figures.ts';
import { type PicturesFrom, withPictures } from '../sheets/pictures.ts';

/**
 * Writes a page with the pictures of each group, made small, and how they are alike.
 *
 * @returns what the page cannot show, in sentences. @throws FILE_WRITE
 */
export async function writeSheet(
  path: string,
  from: PicturesFrom,
  { pictures, groups }: { readonly pictures: number; readonly groups: readonly Group[] },
): Promise<readonly string[]> {
  const body = [`<h1>Near-duplicates</h1>`, `<p>${escapeHtml(summaryOf(pictures, groups))}</p>`];
  const figures = new Figures();
  const shown = firstGroups(groups);
  figures.left(groups.slice(shown.length).reduce((sum, { pictures }) => sum + pictures.length, 0));
  const keys = shown.flatMap(({ pictures }) => pictures.map(({ key }) => key));
  await withPictures(from, keys, async (find) => {
    for (const [i, group] of shown.entries()) {
      body.push(`<h2>${i + 1}</h2>`);
      for (const [j, picture] of group.pictures.entries()) {
        const about = j === 0 ? [] : [howLike(picture)];
        body.push(await figures.figure(picture.key, find(picture.key), ...about));
      }
    }
  });
  await writeWhole(path, htmlText('Near-duplicates', [...body, ...figures.html()]));
  return figures.lines();
}

/** As many whole groups as a page may show. */
function firstGroups(groups: readonly Group[]): readonly Group[] {
  let pictures = 0;
  const beyond = groups.findIndex((group) => {
    pictures += group.pictures.length;
    return pictures > mostFigures;
  });
  return beyond < 0 ? groups : groups.slice(0, beyond);
}
