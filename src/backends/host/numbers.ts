/** Numbers on the host and where they lie; free of tfjs, so that readers of cells need not load it. */

/** Numbers on the host, row by row. */
export interface HostNumbers {
  readonly dtype: 'uint8' | 'int32' | 'float32';
  readonly shape: readonly number[];
  /** All rows in one piece. Where there are `rows`, they are copied together when this is first read. */
  readonly data: Uint8Array | Int32Array | Float32Array;
  /** Where the rows lie, when they lie apart: large fields are uploaded from there, without a copy on the host. */
  readonly rows?: HostRows;
}

/** Rows of equal size in a memory that somebody else fills: the pictures of a micro-batch in their cells. */
export interface HostRows {
  readonly memory: Uint8Array;
  /** Where each row begins, in bytes, a multiple of the size of a number. One row per index of the first dimension. */
  readonly starts: Float64Array;
  /** Bytes of one row. */
  readonly bytes: number;
}

const arrayOf = { uint8: Uint8Array, int32: Int32Array, float32: Float32Array } as const;

/** Host numbers whose rows stay where they are until they are uploaded or their `data` is read. */
export function rowsOf(dtype: HostNumbers['dtype'], shape: readonly number[], rows: HostRows): HostNumbers {
  let copy: HostNumbers['data'] | undefined;
  return {
    dtype,
    shape,
    rows,
    get data() {
      if (copy === undefined) {
        copy = new arrayOf[dtype](sizeOf(shape));
        gather(rows, dtype, copy);
      }
      return copy;
    },
  };
}

/** Rows `from` to before `to` of host numbers, in the same memory. */
export function rowsBetween(numbers: HostNumbers, from: number, to: number): HostNumbers {
  const { dtype, shape, rows } = numbers;
  const part = [to - from, ...shape.slice(1)];
  if (rows !== undefined) return rowsOf(dtype, part, { ...rows, starts: rows.starts.subarray(from, to) });
  const perRow = sizeOf(shape.slice(1));
  return { dtype, shape: part, data: numbers.data.subarray(from * perRow, to * perRow) };
}

/** Copies rows one after another, neighbours in one piece, and converts them to the type of `to`. */
export function gather({ memory, starts, bytes }: HostRows, from: HostNumbers['dtype'], to: HostNumbers['data']): void {
  const { BYTES_PER_ELEMENT: each } = arrayOf[from];
  const perRow = bytes / each;
  for (let first = 0; first < starts.length; ) {
    let next = first + 1;
    while (next < starts.length && starts[next] === starts[next - 1]! + bytes) next++;
    const run = new arrayOf[from](
      memory.buffer as ArrayBuffer,
      memory.byteOffset + starts[first]!,
      (next - first) * perRow,
    );
    to.set(run, first * perRow);
    first = next;
  }
}

/** Numbers in a tensor of this shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, side) => product * side, 1);
}
