import { escapeHtml } from '../../html.ts';
import type { Pixels } from '../picture.ts';
import { encodePng, type SheetRow } from './sheet.ts';

const [margin, gap, headingHeight, lineHeight] = [16, 12, 26, 16];

/**
 * The page of `drawSheet` as SVG: a heading over each column, a row of tiles for each sample, and what is said of it below in lines of text. Tiles are pictures inside the file, so that it opens
 * anywhere. Text is set by whoever shows it; lines are broken at ` · ` where they would be wider than the page.
 */
export async function panelsSvg(
  title: string,
  headings: readonly string[],
  rows: readonly SheetRow[],
): Promise<string> {
  const tiles = rows.flatMap((row) => row.tiles.filter((tile) => tile !== undefined));
  const [tileWidth, tileHeight] = [
    Math.max(1, ...tiles.map(({ width }) => width)),
    Math.max(1, ...tiles.map(({ height }) => height)),
  ];
  const width = Math.max(320, 2 * margin + headings.length * (tileWidth + gap) - gap);
  const left = (column: number) => margin + column * (tileWidth + gap);
  const parts = headings.map((heading, column) =>
    text(left(column) + tileWidth / 2, margin + 14, heading, 'text-anchor="middle" font-weight="600"'),
  );
  let top = margin + headingHeight;
  for (const { tiles: placed, caption } of rows) {
    for (const [column, tile] of placed.entries())
      if (tile !== undefined) parts.push(await image(tile, left(column) + (tileWidth - tile.width) / 2, top));
    const lines = caption === undefined ? [] : broken(caption, width - 2 * margin);
    for (const [i, line] of lines.entries())
      parts.push(text(margin, top + tileHeight + lineHeight * (i + 1), line, 'fill="#555"'));
    top += tileHeight + lineHeight * lines.length + gap + 4;
  }
  const [height, name] = [top - gap - 4 + margin, escapeHtml(title)];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" style="max-width:100%;height:auto" font-family="sans-serif" font-size="13" fill="#222" role="img" aria-label="${name}">`,
    `<title>${name}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

async function image(tile: Pixels, x: number, y: number): Promise<string> {
  const png = Buffer.from(await encodePng(tile)).toString('base64');
  return `<image x="${x}" y="${y}" width="${tile.width}" height="${tile.height}" href="data:image/png;base64,${png}"/>`;
}

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${x}" y="${y}" ${attributes}>${escapeHtml(content)}</text>`;
}

/** A caption in lines that are about so wide in pixels; its parts stay whole. */
function broken(caption: string, width: number): string[] {
  const most = Math.floor(width / 6.5);
  const lines: string[] = [];
  for (const part of caption.split(' · ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + part.length + 3 <= most) lines[lines.length - 1] = `${last} · ${part}`;
    else lines.push(part);
  }
  return lines;
}
