import { join } from 'node:path';
import { escapeHtml, htmlText } from '../../html.ts';
import { type Group, howLike, summaryOf } from '../../sinks/duplicates/groups.ts';
import { writeWhole } from '../../whole-file.ts';
import { Figures, mostFigures } from '../sheets/figures.ts';

/**
 * Writes a page with the pictures of each group, made small, and how they are alike.
 *
 * @param photos the folder that keys start at. @returns what the page cannot show, in sentences. @throws FILE_WRITE
 */
export async function writeSheet(
  path: string,
  photos: string,
  { pictures, groups }: { readonly pictures: number; readonly groups: readonly Group[] },
): Promise<readonly string[]> {
  const body = [`<h1>Near-duplicates</h1>`, `<p>${escapeHtml(summaryOf(pictures, groups))}</p>`];
  const figures = new Figures();
  let shown = 0;
  for (const [i, group] of groups.entries()) {
    if (shown + group.pictures.length > mostFigures) {
      figures.left(groups.slice(i).reduce((sum, { pictures }) => sum + pictures.length, 0));
      break;
    }
    shown += group.pictures.length;
    body.push(`<h2>${i + 1}</h2>`);
    for (const [j, picture] of group.pictures.entries()) {
      const about = j === 0 ? [] : [howLike(picture)];
      body.push(await figures.figure(picture.key, join(photos, picture.key), ...about));
    }
  }
  await writeWhole(path, htmlText('Near-duplicates', [...body, ...figures.html()]));
  return figures.lines();
}
