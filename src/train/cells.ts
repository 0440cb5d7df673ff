import { rowsOf } from '../backends/host/numbers.ts';
import { fail } from '../errors.ts';
import { uncounted } from '../external-memory.ts';
import type { HostBatch, HostTensor } from '../models/model.ts';
import type { FieldSpec, Numbers, Spec } from '../vision/spec.ts';

/** One field of a sample inside its cell. `offset` in bytes from the cell's beginning, a multiple of 64. */
export interface CellField {
  readonly name: string;
  readonly dtype: HostTensor['dtype'];
  /** Of one sample, without N. */
  readonly shape: readonly number[];
  readonly offset: number;
}

/** How a sample lies in a cell of the ring. */
export interface CellLayout {
  readonly fields: readonly CellField[];
  /** Bytes from one cell to the next, a multiple of 64. */
  readonly cellBytes: number;
}

const alignment = 64;
const bytesPer = { uint8: 1, int32: 4, float32: 4 } as const;
const arrayOf = { uint8: Uint8Array, int32: Int32Array, float32: Float32Array } as const;

/** Bytes of one sample's values of a field. */
export function fieldBytes({ dtype, shape }: Pick<CellField, 'dtype' | 'shape'>): number {
  return shape.reduce((product, side) => product * side, bytesPer[dtype]);
}

/**
 * The cell of a model: the fields that it reads, in its order, a picture as uint8 [H, W, 3].
 * @throws TRAIN_SPEC when the chain does not make a field, or leaves its size open.
 */
export function cellLayout(model: { name: string; fields: readonly string[] }, spec: Spec): CellLayout {
  let at = 0;
  const fields = model.fields.map((name): CellField => {
    const missing = (needs: string, stage: string) => fail('TRAIN_SPEC', { model: model.name, needs, stage });
    const known = spec.fields[name];
    if (known === undefined || known === 'bytes' || known === 'text')
      throw missing(`the field ${name}`, stageFor(name));
    const numbers = numbersOf(known, spec);
    if (numbers === undefined) throw missing('pictures of one size', 'resize or random-resized-crop');
    const field = { name, dtype: numbers.dtype, shape: numbers.shape, offset: at };
    at += aligned(fieldBytes(field));
    return field;
  });
  return { fields, cellBytes: at };
}

/** What a field is in a cell: a picture is its bytes; undefined where its size is not fixed. */
function numbersOf(field: Exclude<FieldSpec, 'bytes' | 'text'>, spec: Spec): Numbers | undefined {
  if (field !== 'picture' && 'dtype' in field) return field;
  const size = field === 'picture' ? spec.size : field.picture;
  return size ? { dtype: 'uint8', shape: [...size, 3] } : undefined;
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

function stageFor(field: string): string {
  const known: Record<string, string> = {
    picture: 'decode',
    windows: 'windows',
    masks: 'mask',
    lr: 'downsample',
    codes: 'tokenize',
  };
  return known[field] ?? `one that adds ${field}`;
}

/** Reads lists of cells out of the ring's memory. */
export class CellReader {
  readonly #memory: Uint8Array;
  readonly #layout: CellLayout;
  #copies = new Map<string, HostTensor>();
  #size = -1;

  constructor(memory: SharedArrayBuffer | ArrayBuffer, layout: CellLayout) {
    this.#memory = new Uint8Array(memory);
    this.#layout = layout;
  }

  /**
   * Copies the samples of `cells` out, in their order: each field [N, …] in memory of its own. The cells are free when this returns; the
   * values stand until the next call. Cells hold their fields side by side, so the copy goes field by field, even where cells are neighbours.
   */
  read(cells: Uint32Array): HostBatch {
    return this.#batch(cells, () => false);
  }

  /**
   * The samples of `cells` where they lie, as `read` would copy them; nothing where they do not lie like that: a cell has other fields or a gap beside
   * its one, or a cell of the list is not behind the one before. The cells must stay taken for as long as the values are used.
   */
  inPlace(cells: Uint32Array): HostBatch | undefined {
    const { fields, cellBytes } = this.#layout;
    const [field] = fields;
    if (field === undefined || fields.length > 1 || fieldBytes(field) !== cellBytes) return undefined;
    const [first = 0] = cells;
    if (!cells.every((cell, i) => cell === first + i)) return undefined;
    const length = field.shape.reduce((product, side) => product * side, cells.length);
    const data = new arrayOf[field.dtype](this.#memory.buffer as ArrayBuffer, first * cellBytes, length);
    return { [field.name]: { dtype: field.dtype, shape: [cells.length, ...field.shape], data } };
  }

  /**
   * The samples of `cells`, pictures left where they lie and the rest copied: models look at small fields on the host, and hand pictures
   * on as they are. The cells must stay taken until the pictures have been uploaded. Otherwise as `read`.
   */
  lend(cells: Uint32Array): HostBatch {
    return this.#batch(cells, isPicture);
  }

  #batch(cells: Uint32Array, isLent: (field: CellField) => boolean): HostBatch {
    const { fields } = this.#layout;
    if (cells.length !== this.#size) {
      this.#size = cells.length;
      this.#copies = new Map();
    }
    return Object.fromEntries(
      fields.map((field) => [field.name, isLent(field) ? this.#lent(field, cells) : this.#copied(field, cells)]),
    );
  }

  #lent(field: CellField, cells: Uint32Array): HostTensor {
    const starts = Float64Array.from(cells, (cell) => cell * this.#layout.cellBytes + field.offset);
    const rows = { memory: this.#memory, starts, bytes: fieldBytes(field) };
    return rowsOf(field.dtype, [cells.length, ...field.shape], rows);
  }

  #copied(field: CellField, cells: Uint32Array): HostTensor {
    const bytes = fieldBytes(field);
    const copy = this.#copies.get(field.name) ?? emptyField(field, cells.length);
    this.#copies.set(field.name, copy);
    const to = new Uint8Array(copy.data.buffer, copy.data.byteOffset, copy.data.byteLength);
    for (let n = 0; n < cells.length; n++) {
      const from = cells[n]! * this.#layout.cellBytes + field.offset;
      to.set(this.#memory.subarray(from, from + bytes), n * bytes);
    }
    return copy;
  }
}

/** Pictures are the large fields: uint8 [H, W, 3]. */
function isPicture({ dtype, shape }: CellField): boolean {
  return dtype === 'uint8' && shape.length === 3;
}

/** Memory for a field of so many samples. What it holds is left over from others: every number is to be written, and zeros would be written for nothing. */
export function emptyField({ dtype, shape }: CellField, samples: number): HostTensor {
  const length = shape.reduce((product, side) => product * side, samples);
  const memory = uncounted(Buffer.allocUnsafeSlow(length * arrayOf[dtype].BYTES_PER_ELEMENT));
  return { dtype, shape: [samples, ...shape], data: new arrayOf[dtype](memory.buffer, memory.byteOffset, length) };
}
