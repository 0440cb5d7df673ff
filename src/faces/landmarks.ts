/** How many points of a face are found: iBUG's 68, as dlib and face-api number them. */
export const landmarkCount = 68;

/**
 * The landmarks of a face, float32 [68, 2]: x and y of each in pixels of the picture, where the pixel in column i covers x from i to i + 1, as in boxes. From 0 on: the
 * jaw 0–16, brows 17–26, nose 27–35, the eye on the left of the picture 36–41, that on the right 42–47, the mouth 48–67. They may lie outside of the picture.
 */
export type Landmarks = Float32Array;

/** A place in a picture, in pixels from its upper left corner. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** The middles of the two eyes: that of a person's right eye, which is on the left of the picture when they stand upright, comes first. */
export function eyesOf(landmarks: Landmarks): readonly [Point, Point] {
  return [middleOf(landmarks, 36, 42), middleOf(landmarks, 42, 48)];
}

/** The mean of the landmarks from `first` up to `end`, without it. */
function middleOf(landmarks: Landmarks, first: number, end: number): Point {
  let [x, y] = [0, 0];
  for (let i = first; i < end; i++) {
    x += landmarks[2 * i]!;
    y += landmarks[2 * i + 1]!;
  }
  return { x: x / (end - first), y: y / (end - first) };
}
