import { join } from 'node:path';
import { counted } from '../../counts.ts';
import { escapeHtml, htmlText, imageTag } from '../../html.ts';
import { type Group, type GroupedPicture, howLike, summaryOf } from '../../sinks/duplicates/groups.ts';
import { thumbnailOf } from '../../vision/draw/thumbnail.ts';
import { writeWhole } from '../../whole-file.ts';

/** Pictures of a page: more make it too large to be opened. */
const most = 2000;
const side = 180;

/**
 * Writes a page with the pictures of each group, made small, and how they are alike. What cannot be read any more is named without its picture.
 *
 * @param photos the folder that keys start at. @throws FILE_WRITE
 */
export async function writeSheet(
  path: string,
  photos: string,
  { pictures, groups }: { readonly pictures: number; readonly groups: readonly Group[] },
): Promise<void> {
  const body = [`<h1>Near-duplicates</h1>`, `<p>${escapeHtml(summaryOf(pictures, groups))}</p>`];
  let shown = 0;
  for (const [i, group] of groups.entries()) {
    if (shown + group.pictures.length > most) {
      body.push(`<p>${counted(groups.length - i, 'group')} more: this page shows at most ${most}.</p>`);
      break;
    }
    shown += group.pictures.length;
    const figures = await Promise.all(group.pictures.map((picture, j) => figure(photos, picture, j === 0)));
    body.push(`<h2>${i + 1}</h2>`, ...figures);
  }
  await writeWhole(path, htmlText('Near-duplicates', body));
}

async function figure(photos: string, picture: GroupedPicture, isFirst: boolean): Promise<string> {
  const small = await thumbnailOf(join(photos, picture.key), side);
  const image = small === undefined ? '' : imageTag(picture.key, 'image/jpeg', small);
  const about = isFirst ? '' : `<br>${escapeHtml(howLike(picture))}`;
  return `<figure>${image}<figcaption>${escapeHtml(picture.key)}${about}</figcaption></figure>`;
}
