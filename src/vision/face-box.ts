import type { Box, Extent } from './geometry.ts';

export const faceShapes = ['square', 'found'] as const;
export const faceBorders = ['move', 'pad'] as const;

export interface FaceBoxOptions {
  /** Added on each side, as a share of the box's longer side. */
  readonly margin: number;
  readonly shape: (typeof faceShapes)[number];
  readonly border: (typeof faceBorders)[number];
}

/**
 * What to cut out for a face at `box`: larger by the margin, square or as it is, around the same middle. With `move` it lies in the picture: it is shifted,
 * and where it is longer than a side of the picture it becomes shorter, and stays square if it is to be. With `pad` it may jut out, but some of it always
 * lies in the picture. Whole pixels; at least one.
 */
export function boxAround(box: Box, picture: Extent, { margin, shape, border }: FaceBoxOptions): Box {
  const added = 2 * margin * Math.max(box.width, box.height);
  const [wide, high] = [box.width + added, box.height + added].map((side) => Math.max(1, Math.round(side)));
  const longest = Math.max(wide!, high!);
  let [width, height] = shape === 'square' ? [longest, longest] : [wide!, high!];
  if (border === 'move') {
    const most = shape === 'square' ? Math.min(picture.width, picture.height) : undefined;
    width = Math.min(width, most ?? picture.width);
    height = Math.min(height, most ?? picture.height);
  }
  const left = Math.round(box.left + (box.width - width) / 2);
  const top = Math.round(box.top + (box.height - height) / 2);
  return {
    left: within(left, width, picture.width, border),
    top: within(top, height, picture.height, border),
    width,
    height,
  };
}

/** Where a part of `length` begins on a side: all of it inside, or with `pad` one pixel of it. */
function within(from: number, length: number, side: number, border: FaceBoxOptions['border']): number {
  const [least, most] = border === 'move' ? [0, side - length] : [1 - length, side - 1];
  return Math.min(Math.max(from, least), most);
}
