import { fail } from '../../errors.ts';
import type { ParquetTable } from '../../formats/parquet/table.ts';
import { jsonOf } from '../../whole-file.ts';
import { classDifference } from '../classes.ts';
import { soundClasses } from './labels.ts';

/** What a label of a file becomes: its number among the classes; nothing for one of none. */
export type RankOf = (label: number) => number | undefined;

/**
 * The names of the classes as a file says them, in the form of the Python package `datasets`: under the key `huggingface` of its metadata, of the feature of this name.
 *
 * @throws TABLE_CLASSES for names that cannot be those of classes
 */
export function namesIn(table: ParquetTable, column: string): string[] | undefined {
  const said = table.said('huggingface');
  const json = said === undefined ? undefined : jsonOf(said);
  if (said !== undefined && json === undefined)
    throw fail('TABLE_CLASSES', { found: 'no JSON under the key `huggingface`' }, { where: table.file.name });
  const { info } = (json ?? {}) as { readonly info?: { readonly features?: unknown } | null };
  const features = info?.features;
  if (typeof features !== 'object' || features === null || !Object.hasOwn(features, column)) return undefined;
  const { names } = ((features as Readonly<Record<string, unknown>>)[column] ?? {}) as { readonly names?: unknown };
  if (!Array.isArray(names)) return undefined;
  const texts = names.filter((name): name is string => typeof name === 'string');
  return soundClasses(texts.length === names.length ? texts : [''], table.file.name);
}

/**
 * The classes of several files, and what the labels of each become. All files that name classes must name the same, in the same order, or else `classes` says in which they are
 * numbered; a label keeps its name.
 *
 * @throws TABLE_CLASSES_OTHER for files of other classes, and for one that names none among some that do
 */
export function classesOf(
  tables: readonly ParquetTable[],
  column: string,
  classes: readonly string[] | undefined,
): { readonly names?: readonly string[]; readonly ranks: readonly RankOf[] } {
  const own = tables.map((table) => ({ file: table.file.name, names: namesIn(table, column) }));
  const [first] = own.flatMap(({ file, names }) => (names === undefined ? [] : [{ file, names }]));
  if (classes !== undefined) {
    return { names: classes, ranks: own.map(({ file, names }) => rankAmong(classes, names, file)) };
  }
  for (const { file, names } of own) {
    if (first === undefined) break;
    const found = names === undefined ? 'no names' : difference(first.names, names);
    if (found !== undefined) throw fail('TABLE_CLASSES_OTHER', { file, first: first.file, found });
  }
  const count = first?.names.length ?? Number.POSITIVE_INFINITY;
  const ranks = own.map((): RankOf => (label) => (label < count ? label : undefined));
  return { ...(first && { names: first.names }), ranks };
}

/** Classes at the end may not be missing either: who trains on both files has all of them. */
function difference(first: readonly string[], names: readonly string[]): string | undefined {
  return classDifference(first, names) ?? classDifference(names, first);
}

/** @throws TABLE_CLASSES_OTHER for a file with a name that is none of the classes */
function rankAmong(classes: readonly string[], names: readonly string[] | undefined, file: string): RankOf {
  if (names === undefined) return (label) => (label < classes.length ? label : undefined);
  const ranks = names.map((name) => classes.indexOf(name));
  const strange = names.find((_, i) => ranks[i]! < 0);
  if (strange !== undefined)
    throw fail('TABLE_CLASSES_OTHER', { file, first: '`classes`', found: `the class ${strange}, which is not there` });
  return (label) => ranks[label];
}
