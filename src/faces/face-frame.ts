import type { FaceBoxOptions } from '../vision/face-box.ts';
import type { Extent, Frame } from '../vision/geometry.ts';
import { boundsOf } from '../vision/render/turn.ts';
import { eyesOf, type Landmarks } from './landmarks.ts';

/** Where the eyes lie in a crop that is turned after them, in shares of its side and without a margin: this far from the left, the right and the top. */
export const eyeShare = 0.3;

/**
 * The square to cut out so that the eyes lie level in their place: at 0.3 and 0.7 of its width, 0.3 of its height, where they are on average in dlib's boxes. The
 * margin is added around it. With `move` it lies in the picture: it is made smaller around the eyes' middle where it is too large, then shifted, and the eyes
 * stay level but come to lie elsewhere. With `pad` it may jut out. Its angle is that of the line from the one eye to the other.
 */
export function frameAround(
  landmarks: Landmarks,
  picture: Extent,
  { margin, border }: Pick<FaceBoxOptions, 'margin' | 'border'>,
): Frame {
  const [from, to] = eyesOf(landmarks);
  const [across, down] = [to.x - from.x, to.y - from.y];
  const angle = Math.atan2(down, across);
  const side = Math.max(1, Math.hypot(across, down) / (1 - 2 * eyeShare));
  // From the middle between the eyes down to that of the square.
  const below = side * (0.5 - eyeShare);
  const frame: Frame = {
    x: (from.x + to.x) / 2 - below * Math.sin(angle),
    y: (from.y + to.y) / 2 + below * Math.cos(angle),
    width: side * (1 + 2 * margin),
    height: side * (1 + 2 * margin),
    angle,
  };
  return border === 'move' ? movedInside(frame, picture) : touching(frame, picture);
}

/** The frame, made smaller where its bounds are longer than a side of the picture, and shifted so that they lie in it. */
function movedInside(frame: Frame, picture: Extent): Frame {
  const bounds = boundsOf(frame);
  const scale = Math.min(1, picture.width / bounds.width, picture.height / bounds.height);
  const [across, down] = [(bounds.width * scale) / 2, (bounds.height * scale) / 2];
  return {
    ...frame,
    width: frame.width * scale,
    height: frame.height * scale,
    x: between(frame.x, across, picture.width - across),
    y: between(frame.y, down, picture.height - down),
  };
}

/** The frame, shifted where its middle lies outside of the picture. */
function touching(frame: Frame, picture: Extent): Frame {
  return { ...frame, x: between(frame.x, 0, picture.width), y: between(frame.y, 0, picture.height) };
}

/** Of two limits that rounding has crossed, the lower counts. */
const between = (value: number, least: number, most: number) => Math.max(Math.min(value, most), least);
