import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { PatchstreamError } from '../../src/errors.ts';
import { Random } from '../../src/random.ts';
import type { OpenSource, SourceDefinition } from '../../src/sources/source.ts';
import { writeFiles } from './files/folder.ts';
import { residentMiB } from './runs/memory.ts';

/** A file that a source reads, and how. */
export interface TableSeed {
  readonly definition: SourceDefinition;
  readonly name: string;
  readonly bytes: Buffer;
  /** The name of the option that takes the file, and the other options. */
  readonly option: string;
  readonly options: object;
  /** Files beside it. */
  readonly beside: Readonly<Record<string, Uint8Array | string>>;
  /** What a sample of the file that is not damaged may not be: `found` of a read sample is looked at by it. */
  readonly isSound: (
    source: OpenSource,
    index: number,
    found: Readonly<Record<string, unknown>>,
    mutated: Buffer,
  ) => boolean;
}

/** Damages tables in `count` ways and reads them. @returns how it went; `strange` are errors that are not of the catalogue, and samples that are not sound. */
export async function mutateTables(folder: string, seeds: readonly TableSeed[], count: number) {
  const strange: string[] = [];
  const totals = { refused: 0, failed: 0, read: 0 };
  const { signal } = new AbortController();
  for (const [i, { beside }] of seeds.entries()) writeFiles(join(folder, String(i)), beside);
  const before = residentMiB();
  let grown = 0;
  for (let i = 0; i < count; i++) {
    const random = new Random(11, 'tables', String(i));
    const at = i % seeds.length;
    const { definition, name, bytes, option, options, isSound } = seeds[at]!;
    const base = join(folder, String(at));
    mkdirSync(base, { recursive: true });
    const mutated = mutation(bytes, random);
    writeFileSync(join(base, name), mutated);
    const told = (what: string) => strange.push(`${i}, ${basename(name)}: ${what}`);
    let source: OpenSource | undefined;
    try {
      const parsed = definition.options.parse({ ...options, [option]: name });
      source = await definition.open(parsed, { base, signal, progress() {} });
      const keys = new Set(Array.from({ length: source.count }, (_, index) => source!.key(index)));
      if (keys.size !== source.count) told('keys that are not different');
    } catch (error) {
      totals.refused++;
      if (!(error instanceof PatchstreamError)) told(String(error));
    }
    for (let index = 0; source !== undefined && index < Math.min(source.count, 200); index++) {
      try {
        const found = await source.read(index, signal);
        totals.read++;
        if (!isSound(source, index, found, mutated)) told(`sample ${index} is not sound`);
      } catch (error) {
        totals.failed++;
        if (!(error instanceof PatchstreamError)) told(String(error));
      }
    }
    await source?.close?.();
    if (i % 250 === 249) grown = Math.max(grown, residentMiB() - before);
  }
  return { ...totals, strange, grown };
}

const marks = [
  '"',
  ',',
  '\n',
  '\r',
  '\0',
  '{',
  '}',
  '[',
  ']',
  ':',
  '\\',
  '\t',
  '-',
  '1e9',
  '../',
  '\u00e9',
  '.5',
  '"",',
  'null',
  '\ufeff',
];

/** Other bytes in a few places, half of them near the ends; marks that mean something in texts; bytes taken out, twice, or moved; the file cut off. */
function mutation(bytes: Buffer, random: Random): Buffer {
  const below = (n: number) => random.word() % Math.max(1, n);
  const near = () => [below(bytes.length), below(300), bytes.length - 1 - below(900)][below(3)]!;
  const place = () => Math.min(Math.max(0, near()), bytes.length);
  const cut = (from: number, length: number) => [
    bytes.subarray(0, from),
    bytes.subarray(from, from + length),
    bytes.subarray(from + length),
  ];
  const result = Buffer.from(bytes);
  switch (below(8)) {
    case 0:
      return result.subarray(0, below(bytes.length));
    case 1: {
      const [before, , after] = cut(place(), 1 + below(20));
      return Buffer.concat([before!, after!]);
    }
    case 2: {
      const [before, own, after] = cut(place(), 1 + below(60));
      return Buffer.concat([before!, own!, own!, after!]);
    }
    case 3:
    case 4: {
      const at = place();
      return Buffer.concat([bytes.subarray(0, at), Buffer.from(marks[below(marks.length)]!), bytes.subarray(at)]);
    }
    default:
      for (let n = below(4); n >= 0; n--) result[place() % bytes.length] = [below(256), 255, 0, 128][below(4)]!;
      return result;
  }
}
