import type { Absent } from '../native.ts';
import type { Box, Picture } from '../vision/picture.ts';
import type { Landmarks } from './landmarks.ts';

/** A face in whole pixels of the picture. Its box may jut out of the picture. */
export interface Face {
  readonly box: Box;
  /** The larger, the surer. What the numbers mean is the detector's own: see `FaceDetector.least`. */
  readonly confidence: number;
  /** Where they were asked for. */
  readonly landmarks?: Landmarks;
}

export interface FaceQuery {
  /** The least side of a box that is looked for, in pixels of the picture. Smaller ones are not answered. */
  readonly minSide: number;
  /** The least confidence. Default: the detector's own, `least`. */
  readonly minConfidence?: number | undefined;
  /** Whether the landmarks of each face are found too. Default false. */
  readonly landmarks?: boolean | undefined;
  /** Ends the waiting for a thread; a picture that is being looked at is looked at to its end. */
  readonly signal?: AbortSignal | undefined;
}

/** Finds faces in pictures. */
export interface FaceDetector {
  readonly name: FaceDetectorName;
  /** What it is, for people: `dlib 19.24 (avx2)`. */
  readonly about: string;
  /** The confidence above which a face counts unless another is asked for. */
  readonly least: number;
  /** What finds the landmarks of its faces, for people, or why nothing does. Looks for a model, but reads none. */
  landmarks(): string | Absent;
  /**
   * The faces of a picture, the surest first.
   * @throws FACES_LARGE, FACES_FAILED, FACES_LANDMARKS (which ends a run), PICTURE_BROKEN, PICTURE_MEMORY, PICTURE_REFUSED; the signal's reason when it is aborted.
   */
  detect(picture: Picture, query: FaceQuery): Promise<readonly Face[]>;
}

export const faceDetectors = ['dlib', 'face-api'] as const;
export type FaceDetectorName = (typeof faceDetectors)[number];

/** How much of two boxes' joint area both cover: 0 apart, 1 the same. */
export function overlapOf(a: Box, b: Box): number {
  const across = Math.min(a.left + a.width, b.left + b.width) - Math.max(a.left, b.left);
  const down = Math.min(a.top + a.height, b.top + b.height) - Math.max(a.top, b.top);
  if (across <= 0 || down <= 0) return 0;
  return (across * down) / (a.width * a.height + b.width * b.height - across * down);
}

/** True for a box that is no smaller than was asked for. */
export function isLargeEnough({ width, height }: Box, minSide: number): boolean {
  return Math.min(width, height) >= minSide;
}
