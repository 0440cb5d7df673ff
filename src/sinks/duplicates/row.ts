import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { fail } from '../../errors.ts';
import { type Part, quarters, thumbnailSide } from '../../vision/likeness/cosine-transform.ts';
import type { NearDuplicate } from '../../vision/likeness/near-duplicates.ts';
import { jsonOf } from '../../whole-file.ts';

/** A line of the sink's files: a picture, and the earlier ones that it looks like. */
export interface PictureRow {
  readonly key: string;
  readonly position: number;
  /** uint8 [32, 32], in base64: by it later pictures are compared with this one. */
  readonly thumbnail: string;
  readonly like: readonly LikeRow[];
}

/** An earlier picture that one looks like. */
export interface LikeRow {
  readonly key: string;
  readonly position: number;
  /** How alike they are where they lie over each other, at most 1. */
  readonly likeness: number;
  /** Bits of 255 in which their hashes differ there. */
  readonly bits: number;
  /** The one is the mirror image of the other. */
  readonly mirrored?: true;
  /** The part of `of` that the other picture shows: [left, top, right, bottom] as shares of its sides. */
  readonly crop?: { readonly of: string; readonly box: readonly [number, number, number, number] };
}

/** What a picture looks like, as it is written. `other` is the earlier picture. */
export function likeRow(
  key: string,
  other: { readonly key: string; readonly position: number },
  { likeness, bits, mirrored, crop }: NearDuplicate,
): LikeRow {
  return {
    ...other,
    likeness: rounded(likeness),
    bits,
    ...(mirrored && { mirrored }),
    ...(crop && { crop: { of: crop.of === 'this' ? key : other.key, box: boxOf(crop.part) } }),
  };
}

function boxOf({ left, top, right, bottom }: Part): [number, number, number, number] {
  return [left, top, right, bottom].map((edge) => rounded(edge / quarters)) as [number, number, number, number];
}

const rounded = (value: number) => Math.round(value * 1e4) / 1e4;

/** A line of a file. @throws DUPLICATES_ROW where it is none of ours. */
function rowOf(line: string, place: { readonly file: string; readonly line: number }): PictureRow {
  const row = jsonOf(line) as Partial<PictureRow> | null | undefined;
  const isSound =
    typeof row === 'object' &&
    row !== null &&
    typeof row.key === 'string' &&
    Number.isSafeInteger(row.position) &&
    typeof row.thumbnail === 'string' &&
    thumbnailIn(row as PictureRow).length === thumbnailSide ** 2 &&
    Array.isArray(row.like) &&
    row.like.every(isLike);
  if (isSound) return row as PictureRow;
  throw fail('DUPLICATES_ROW', { line: place.line, found: line.slice(0, 60) || 'nothing' }, { where: place.file });
}

function isLike(one: Partial<LikeRow> | null): boolean {
  return (
    typeof one === 'object' &&
    typeof one?.key === 'string' &&
    Number.isFinite(one.likeness) &&
    Number.isFinite(one.bits)
  );
}

/** uint8 [32, 32] of a row. */
export function thumbnailIn({ thumbnail }: Pick<PictureRow, 'thumbnail'>): Uint8Array {
  return Buffer.from(thumbnail, 'base64');
}

/** The rows of the sink's files, one after the other. @throws DUPLICATES_ROW */
export async function* readRows(paths: readonly string[]): AsyncGenerator<PictureRow> {
  for (const file of paths) {
    let line = 0;
    for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY }))
      yield rowOf(text, { file, line: ++line });
  }
}
