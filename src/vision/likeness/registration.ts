import { CosineTransform, type Part, quarters } from './cosine-transform.ts';
import { likenessOf, type Shape, shapeOf } from './shape.ts';

/** No part is made smaller than half of the picture's sides. */
const leastSide = quarters / 2;

/** How the edges left, right, top and bottom are moved: aside, down, in size, and each alone; each also the other way. */
const moves: readonly (readonly number[])[] = [
  [1, 1, 0, 0],
  [0, 0, 1, 1],
  [1, -1, 1, -1],
  [1, 0, 0, 0],
  [0, 1, 0, 0],
  [0, 0, 1, 0],
  [0, 0, 0, 1],
].flatMap((move) => [move, move.map((edge) => -edge)]);

/** Rounds of moves by the same stride. */
const mostRounds = 6;

/** What is less alike than this, by coarse frequencies, where the part lies at first, */
const leastAtFirst = 0.65;
/** and when it has been moved by whole pixels of the thumbnail, is another picture: the rest is not worth its time. */
const leastWhenMoved = 0.9;

/** A picture that is looked for, mirrored or not. */
export interface Wanted {
  readonly thumbnail: Uint8Array;
  readonly mirrored: boolean;
  /** By 8 × 8 coefficients. */
  readonly coarse: Shape;
}

export interface Registered {
  readonly part: Part;
  /** The cosine of both shapes by 16 × 16 coefficients: 1 where part and picture show the same. */
  readonly likeness: number;
}

/**
 * Lays a picture over a part of another one: moves the edges of the part to where both are most alike, at first by pixels of the thumbnail and coarse
 * frequencies, then by halves and quarters with fine ones. Each move that makes it better is taken. A pure function of its arguments.
 *
 * @param thumbnail of the picture with the part. @returns nothing where they are not alike.
 */
export function register(thumbnail: Uint8Array, start: Part, wanted: Wanted): Registered | undefined {
  const coarse = new CosineTransform(thumbnail, 8);
  const first = likenessOf(coarse, start, wanted.coarse);
  if (first < leastAtFirst) return undefined;
  const moved = climb({ part: start, likeness: first }, 4, (part) => likenessOf(coarse, part, wanted.coarse));
  if (moved.likeness < leastWhenMoved) return undefined;
  const fine = new CosineTransform(thumbnail, 16);
  const shape = shapeOf(wanted.thumbnail, 16, wanted.mirrored);
  const judge = (part: Part) => likenessOf(fine, part, shape);
  return climb(climb({ part: moved.part, likeness: judge(moved.part) }, 2, judge), 1, judge);
}

function climb(start: Registered, stride: number, judge: (part: Part) => number): Registered {
  let best = start;
  for (let round = 0, moved = true; moved && round < mostRounds; round++) {
    moved = false;
    for (const move of moves) {
      const part = movedBy(best.part, move, stride);
      const likeness = part === undefined ? -1 : judge(part);
      if (part === undefined || likeness <= best.likeness) continue;
      best = { part, likeness };
      moved = true;
    }
  }
  return best;
}

function movedBy(part: Part, move: readonly number[], stride: number): Part | undefined {
  const inside = (edge: number, by: number) => Math.min(quarters, Math.max(0, edge + by * stride));
  const left = inside(part.left, move[0]!);
  const right = inside(part.right, move[1]!);
  const top = inside(part.top, move[2]!);
  const bottom = inside(part.bottom, move[3]!);
  return right - left >= leastSide && bottom - top >= leastSide ? { left, right, top, bottom } : undefined;
}
