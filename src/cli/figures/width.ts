import stringWidth from 'string-width';

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Columns that a terminal takes for a text: 2 for a character of Chinese, Japanese or Korean and for most emoji, none for what is drawn over the character before it. */
export function widthOf(text: string): number {
  return stringWidth(text);
}

/** A text with spaces behind it, as many columns wide as that, or as it is where it is wider. */
export function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)));
}

/** A text in at most so many columns, 1 or more: of one that is wider, its start or its end gives way to an ellipsis. No character is torn apart. */
export function cutTo(text: string, width: number, cut: 'start' | 'end'): string {
  if (widthOf(text) <= width) return text;
  const parts = Array.from(graphemes.segment(text), ({ segment }) => segment);
  if (cut === 'start') parts.reverse();
  let room = width - 1;
  let kept = 0;
  while (kept < parts.length) {
    room -= widthOf(parts[kept]!);
    if (room < 0) break;
    kept++;
  }
  const left = parts.slice(0, kept);
  return cut === 'start' ? `…${left.reverse().join('')}` : `${left.join('')}…`;
}
