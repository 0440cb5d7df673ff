import { fail } from '../../errors.ts';

/**
 * MAE's fixed positions of a grid of patches with cls tokens in front, pure arithmetic. With E = D/2 and ωₖ = 10000^(−k/(E/2)), a place x
 * becomes sin(x·ω₀), sin(x·ω₁) …, then cos(x·ω₀) …: E numbers. A patch has those of its column, then those of its row; cls has zeros.
 * Source: He et al. 2022, and the order of its published code.
 *
 * @param cls tokens in front. @returns [rows·columns + cls, D], row by row.
 * @throws MODEL_POSITIONS for a width that is not a multiple of 4.
 */
export function gridPositions(rows: number, columns: number, width: number, cls = 1): Float32Array {
  checkPositions(width);
  const rates = width / 4;
  const table = new Float32Array((rows * columns + cls) * width);
  for (let patch = 0; patch < rows * columns; patch++) {
    const at = (patch + cls) * width;
    for (const [half, place] of [patch % columns, Math.floor(patch / columns)].entries()) {
      for (let k = 0; k < rates; k++) {
        const angle = place * 10_000 ** (-k / rates);
        table[at + 2 * half * rates + k] = Math.sin(angle);
        table[at + (2 * half + 1) * rates + k] = Math.cos(angle);
      }
    }
  }
  return table;
}

/**
 * A table of positions of another square grid, cls kept: bicubic (a = −0.75) between the middles of patches, the border repeated, without smoothing.
 * Source: what fine-tuning after MAE does where pictures have another size.
 *
 * @param table [from² + cls, D]. @returns [to² + cls, D].
 */
export function resizedPositions(table: Float32Array, width: number, from: number, to: number, cls = 1): Float32Array {
  const front = cls * width;
  const rest = resizedAlong(table.subarray(front), { inner: width, outer: from, from, to });
  const both = resizedAlong(rest, { inner: width * to, outer: 1, from, to });
  const resized = new Float32Array(to * to * width + front);
  resized.set(table.subarray(0, front));
  resized.set(both, front);
  return resized;
}

/** [outer, from, inner] to [outer, to, inner]. */
function resizedAlong(
  values: Float32Array,
  { inner, outer, from, to }: Readonly<Record<'inner' | 'outer' | 'from' | 'to', number>>,
): Float32Array {
  const made = new Float32Array(outer * to * inner);
  for (let place = 0; place < to; place++) {
    const middle = ((place + 0.5) * from) / to - 0.5;
    const first = Math.floor(middle) - 1;
    for (let tap = 0; tap < 4; tap++) {
      const weight = cubic(Math.abs(middle - first - tap));
      const source = Math.min(from - 1, Math.max(0, first + tap));
      for (let row = 0; row < outer; row++) {
        const [at, to_] = [(row * from + source) * inner, (row * to + place) * inner];
        for (let i = 0; i < inner; i++) made[to_ + i]! += weight * values[at + i]!;
      }
    }
  }
  return made;
}

/** Keys' cubic of a distance, a = −0.75. */
function cubic(x: number): number {
  if (x <= 1) return (1.25 * x - 2.25) * x * x + 1;
  return x < 2 ? -0.75 * (((x - 5) * x + 8) * x - 4) : 0;
}

/** The tables of a grid's encoder, and decoder where there is one, as files hold them, with a leading 1. */
export function storedPositions(
  side: number,
  width: number,
  decoderWidth?: number,
  cls = 1,
): ReadonlyMap<string, FixedTensor> {
  const table = (D: number) => ({ shape: [1, side * side + cls, D], data: gridPositions(side, side, D, cls) });
  const tables = new Map([['pos_embed', table(width)]]);
  return decoderWidth === undefined ? tables : tables.set('decoder_pos_embed', table(decoderWidth));
}

/** A tensor that is computed, not learned. */
export interface FixedTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Refuses a width that sines and cosines of two axes cannot share. @throws MODEL_POSITIONS */
export function checkPositions(width: number): void {
  if (width % 4 !== 0) throw fail('MODEL_POSITIONS', { width, suggestion: 4 * Math.max(1, Math.round(width / 4)) });
}
