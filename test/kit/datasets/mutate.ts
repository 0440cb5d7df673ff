import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PatchstreamError } from '../../../src/errors.ts';
import { Random } from '../../../src/random.ts';
import type { OpenSource, SourceDefinition } from '../../../src/sources/source.ts';
import { writeFiles } from '../files/folder.ts';
import type { Example } from './examples.ts';

const signal = new AbortController().signal;

interface Opened {
  /** That of a source, whatever its options are. */
  readonly definition: unknown;
}

export interface Subject {
  readonly source: Opened;
  readonly example: Example;
  /** Options beside `path`. */
  readonly options?: object;
  /** Files whose bytes are changed. */
  readonly described: RegExp;
  /** How many samples a changed byte may give another label, or another name. */
  readonly perByte: number;
  /** The label of a file that is there under a name of its own. */
  readonly labelOf?: (key: string) => number | undefined;
}

export interface Verdict {
  readonly refused: number;
  readonly read: number;
  /** Errors that are not of the catalogue, and samples whose label moved although nothing of their own was changed. */
  readonly wrong: readonly string[];
}

/** Opens the example in `root`. */
export function openExample({ source, options = {} }: Pick<Subject, 'source' | 'options'>, root: string) {
  const definition = source.definition as SourceDefinition<object>;
  return definition.open(definition.options.parse({ path: 'data', ...options }), { base: root, signal, progress() {} });
}

/**
 * Changes an example in `count` ways, seeded, one at a time: bytes and lines of what describes it; files and folders that are removed, emptied, renamed
 * or added. It must then be refused by an error of the catalogue, or give every sample the label that it has.
 */
export async function mutateDataset(root: string, subject: Subject, count: number): Promise<Verdict> {
  const { example, described, perByte } = subject;
  const data = join(root, 'data');
  writeFiles(data, example.files);
  const paths = Object.keys(example.files);
  const describing = paths.filter((path) => described.test(path));
  const folders = [...new Set(paths.flatMap(foldersOf))];
  const wrong: string[] = [];
  let [refused, read] = [0, 0];
  for (let i = 0; i < count; i++) {
    const random = new Random(11, 'datasets', String(i));
    const pick = <T>(items: readonly T[]) => items[random.integer(items.length)]!;
    let touched: string;
    let other = '';
    let allowed = 0;
    const kind = random.integer(8);
    if (kind < 4) {
      touched = pick(describing);
      const { bytes, changed } = mutated(readFileSync(join(data, touched)), random);
      writeFileSync(join(data, touched), bytes);
      allowed = changed * perByte;
    } else {
      touched = pick([...folders, ...paths]);
      const whole = join(data, touched);
      other = join(dirname(whole), renamed(touched.split('/').at(-1)!, random));
      while (existsSync(other)) other += 'x';
      if (kind === 4) rmSync(whole, { recursive: true });
      else if (kind === 5) renameSync(whole, other);
      else if (kind === 6) {
        rmSync(whole, { recursive: true });
        if (folders.includes(touched)) mkdirSync(whole);
        else writeFileSync(whole, '');
      } else cpSync(whole, other, { recursive: true });
    }
    try {
      const source = await openExample(subject, root);
      read++;
      const moved = await movedSamples(source, subject);
      if (moved.length > allowed) wrong.push(`${i}, ${touched}: ${moved.slice(0, 3).join(', ')}`);
      await source.close?.();
    } catch (error) {
      refused++;
      if (!(error instanceof PatchstreamError)) wrong.push(`${i}, ${touched}: ${error}`);
    }
    if (other !== '') rmSync(other, { recursive: true, force: true });
    const isTouched = (path: string) => path === touched || path.startsWith(`${touched}/`);
    writeFiles(data, Object.fromEntries(Object.entries(example.files).filter(([path]) => isTouched(path))));
  }
  return { refused, read, wrong };
}

/** Samples whose label is not that of the example. Each is read. */
async function movedSamples(
  source: OpenSource,
  { example: { labels }, labelOf = () => undefined }: Subject,
): Promise<string[]> {
  const moved: string[] = [];
  for (let index = 0; index < source.count; index++) {
    const key = source.key(index);
    const [label, expected] = [await readLabel(source, index), labels.get(key) ?? labelOf(key)];
    if (label !== undefined && label !== expected) moved.push(`${key} ${label}, not ${expected}`);
  }
  return moved;
}

async function readLabel(source: OpenSource, index: number): Promise<number | undefined> {
  try {
    return (await source.read(index, signal)).label as number;
  } catch (error) {
    // A sample whose file is gone fails by itself.
    if (error instanceof PatchstreamError) return undefined;
    throw error;
  }
}

function foldersOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, i) => parts.slice(0, i + 1).join('/'));
}

/** A name one letter or digit away, or with one more. */
function renamed(name: string, random: Random): string {
  const at = random.integer(name.length);
  const letter = 'n019S_.x'[random.integer(8)]!;
  const other = `${name.slice(0, at)}${letter}${name.slice(random.integer(2) === 0 ? at : at + 1)}`;
  return other === name ? `${name}x` : other;
}

/** Other bytes in a few places, lines more or fewer, or an end before the end. */
function mutated(bytes: Buffer, random: Random): { readonly bytes: Buffer; readonly changed: number } {
  const result = Buffer.from(bytes);
  const at = random.integer(Math.max(1, bytes.length));
  switch (random.integer(6)) {
    case 0:
      return { bytes: result.subarray(0, at), changed: 1 };
    case 1:
      return { bytes: Buffer.concat([result.subarray(0, at), Buffer.from('1'), result.subarray(at)]), changed: 1 };
    case 2:
      return { bytes: Buffer.concat([result.subarray(0, at), result.subarray(at + 1)]), changed: 1 };
    default: {
      const changed = 1 + random.integer(4);
      for (let n = 0; n < changed; n++)
        result[random.integer(bytes.length)] = [random.integer(256), 0, 255, 10, 48 + random.integer(10)][
          random.integer(5)
        ]!;
      return { bytes: result, changed };
    }
  }
}
