import type { SchemaElement } from 'hyparquet';
import type { ColumnSource } from 'hyparquet-writer';
import type { FieldSpec, Spec } from '../../vision/spec.ts';
import { jsonOf } from '../plain-fields.ts';
import { cellOf, declaredKind, isVector, joinKinds, type Kind, kindOf, misfit, schemaOf } from './kinds.ts';

/** A sample as it waits to be written. */
export interface Row {
  readonly key: string;
  readonly position: number;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A column of lists of float32. */
export interface VectorColumn {
  readonly name: string;
  readonly vectors: readonly (Float32Array | null)[];
}

/** Fields that get a column because samples have them; those beyond go to `other`. */
const mostInferred = 256;

/**
 * The columns of a file: key, position, what the chain declares, what the samples that come first have besides, and, where these are more than what is
 * declared, `other`: a map, in JSON, of fields that have no column or do not fit it. So nothing of a sample is lost, and all rows have one schema.
 */
export class Columns {
  readonly #kinds: ReadonlyMap<string, Kind>;
  readonly #other: string | undefined;

  /** @param first the samples that come first in the file, by whose fields columns are chosen. */
  constructor(spec: Spec, first: readonly Row[]) {
    const kinds = new Map<string, Kind>();
    for (const [name, known] of Object.entries(spec.fields)) {
      const kind = declared(known);
      if (kind === undefined) continue;
      // After a stage whose effect is not known, a field may be another one than was declared.
      const fits = !spec.open || first.every(({ fields }) => cellOf(name, fields[name], kind) !== misfit);
      if (fits && (!spec.open || first.some(({ fields }) => fields[name] !== undefined))) kinds.set(name, kind);
    }
    const inferred = inferKinds(first, kinds);
    for (const [name, kind] of [...inferred].slice(0, mostInferred)) kinds.set(name, kind);
    this.#kinds = kinds;
    const isMore = spec.open || inferred.size > 0 || !first.every((row) => this.#fits(row));
    this.#other = isMore ? freeName('other', kinds) : undefined;
  }

  /** Whether nothing of a sample would be lost. */
  takes(row: Row): boolean {
    return this.#other !== undefined || this.#fits(row);
  }

  #fits({ fields }: Row): boolean {
    return Object.entries(fields).every(([name, value]) => {
      const kind = this.#kinds.get(name);
      return kind !== undefined && cellOf(name, value, kind) !== misfit;
    });
  }

  schema(): SchemaElement[] {
    const columns = [
      [{ name: 'key', repetition_type: 'REQUIRED', type: 'BYTE_ARRAY', converted_type: 'UTF8' }],
      [{ name: 'position', repetition_type: 'REQUIRED', type: 'INT64' }],
      ...[...this.#kinds].map(([name, kind]) => schemaOf(name, kind)),
      ...(this.#other === undefined ? [] : [schemaOf(this.#other, { of: 'json' })]),
    ] as SchemaElement[][];
    return [{ name: 'schema', num_children: columns.length }, ...columns.flat()];
  }

  /** Rows as columns of a row group. */
  data(rows: readonly Row[]): readonly (ColumnSource | VectorColumn)[] {
    const rest = rows.map(() => [] as string[]);
    const columns = [...this.#kinds].map(([name, kind]) => {
      const data = rows.map(({ fields }, i) => {
        const cell = cellOf(name, fields[name], kind);
        if (cell !== misfit) return cell;
        rest[i]!.push(name);
        return null;
      });
      return isVector(kind) ? { name, vectors: data as VectorColumn['vectors'] } : { name, data, ...storage(kind) };
    });
    for (const [i, { fields }] of rows.entries())
      rest[i]!.push(...Object.keys(fields).filter((name) => !this.#kinds.has(name)));
    return [
      { name: 'key', data: rows.map(({ key }) => key) },
      { name: 'position', data: rows.map(({ position }) => BigInt(position)) },
      ...columns,
      ...(this.#other === undefined
        ? []
        : [{ name: this.#other, data: rows.map(({ fields }, i) => mapOf(fields, rest[i]!)) }]),
    ];
  }
}

/** Digits of vectors hardly repeat: a dictionary, a packer and a least number would cost time and save nothing. */
function storage(kind: Kind): Partial<ColumnSource> {
  const isFloats = kind.of === 'numbers' && kind.rank > 0 && kind.dtype.startsWith('float');
  return isFloats ? { encoding: 'PLAIN', codec: 'UNCOMPRESSED', statistics: false } : {};
}

function declared(known: FieldSpec): Kind | undefined {
  if (known === 'text') return { of: 'texts' };
  return typeof known === 'object' && 'dtype' in known ? declaredKind(known) : undefined;
}

/** Of fields without a kind, what holds all their values. */
function inferKinds(rows: readonly Row[], known: ReadonlyMap<string, Kind>): Map<string, Kind> {
  const kinds = new Map<string, Kind | undefined>();
  for (const { fields } of rows)
    for (const [name, value] of Object.entries(fields))
      if (!known.has(name)) kinds.set(name, joinKinds(kinds.get(name), kindOf(value)));
  return new Map([...kinds].map(([name, kind]) => [name, kind ?? { of: 'json' }]));
}

function freeName(name: string, taken: ReadonlyMap<string, Kind>): string {
  return taken.has(name) ? freeName(`${name}_`, taken) : name;
}

function mapOf(fields: Readonly<Record<string, unknown>>, names: readonly string[]): unknown {
  if (names.length === 0) return null;
  const entries = names.map((name) => `${JSON.stringify(name)}:${jsonOf(name, fields[name]) ?? 'null'}`);
  return JSON.parse(`{${entries.join(',')}}`);
}
