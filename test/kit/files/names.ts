import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunEvent } from '../../../src/events/events.ts';
import { countOf } from '../../../src/files/passed-over.ts';
import { tarEnd } from '../../../src/formats/tar/write.ts';
import { Random } from '../../../src/random.ts';
import { definePipeline } from '../../../src/runs/loader/define.ts';
import { run } from '../../../src/runs/run.ts';
import { images } from '../../../src/sinks/images.ts';
import { toJsonl } from '../../../src/sinks/to-jsonl.ts';
import { toWebdataset } from '../../../src/sinks/to-webdataset.ts';
import { imageFolder } from '../../../src/sources/image-folder.ts';
import type { OpenSource } from '../../../src/sources/source.ts';
import { webdataset } from '../../../src/sources/webdataset.ts';
import { decode } from '../../../src/stages/index.ts';
import { gradient, jpeg } from '../pictures/pictures.ts';
import { openSource } from '../runs/jobs.ts';
import { entry, tarFile } from './tars.ts';

/** Pieces that names are made of: what file systems, shells, terminals and formats take for something else. */
const pieces: readonly (string | readonly number[])[] = [
  'a',
  'photo',
  'é',
  'e\u0301',
  '写真',
  '🙂',
  '.',
  '..',
  ' ',
  '\t',
  '\n',
  '\r\n',
  '\u0007',
  '\u001b[31m',
  '\u202e',
  '\u200b',
  '-',
  '--',
  '#',
  '#2',
  '%',
  '%2e%2e',
  '\\',
  '\\x',
  '..\\',
  "'",
  '"',
  '`$(id)`',
  '<b>',
  '&amp;',
  '*',
  '?',
  '|',
  ':',
  '~',
  '{1..3}',
  '__proto__',
  'constructor',
  'CON',
  '\uFFFD',
  [0xe9],
  [0xff, 0xfe],
  [0xc3],
  [0xed, 0xa0, 0x80],
  [0xf0, 0x9f, 0x99],
];

const endings = ['.jpg', '.JPG', '.jpeg', '.png', '.webp', '.bmp', '.jpg_large', '.jpg ', '.cls', '.json', '.', ''];

/** A name of up to 255 bytes, without a slash or a zero, that is neither `.` nor `..`. */
export function strangeName(random: Random, prefix = ''): Buffer {
  const parts: Buffer[] = [Buffer.from(prefix)];
  for (let i = random.integer(5); i >= 0; i--) parts.push(bytesOf(pieces[random.integer(pieces.length)]!));
  // Some as long as a file system allows.
  if (random.uniform() < 0.05) parts.push(Buffer.alloc(300, 'long'));
  const ending = Buffer.from(endings[random.integer(endings.length)]!);
  const name = Buffer.concat([Buffer.concat(parts).subarray(0, 255 - ending.length), ending]);
  return ['', '.', '..'].includes(name.toString('latin1')) ? Buffer.from('x') : name;
}

function bytesOf(piece: string | readonly number[]): Buffer {
  return typeof piece === 'string' ? Buffer.from(piece) : Buffer.from(piece);
}

/** Files of strange names in strange folders below `root`, `count` of them or, where two have one name, fewer. Returns how many there are. */
export function strangeFolder(root: string, count: number, bytes: Uint8Array, seed: number): number {
  const made = new Set<string>();
  for (let i = 0; i < count; i++) {
    const random = new Random(seed, 'names', `${i}`);
    const folder = Buffer.concat([
      Buffer.from(`${root}/`),
      strangeName(new Random(seed, 'folders', `${i >> 4}`), `${i >> 4}`),
    ]);
    mkdirSync(folder, { recursive: true });
    const path = Buffer.concat([folder, Buffer.from('/'), strangeName(random)]);
    if (made.has(path.toString('latin1'))) continue;
    writeFileSync(path, bytes);
    made.add(path.toString('latin1'));
  }
  return made.size;
}

/** A tar of `count` members of strange names, written in the ways in which tars have names. */
export function strangeTar(count: number, bytes: Buffer, seed: number): Buffer {
  const parts: (Uint8Array | undefined)[] = [];
  for (let i = 0; i < count; i++) {
    const random = new Random(seed, 'members', `${i}`);
    const name = strangeName(random);
    const way = random.integer(3);
    if (way === 0 && name.length < 100) parts.push(entry(name.toString('latin1'), '0', { bytes }));
    else if (way === 1) {
      parts.push(
        entry('././@LongLink', 'L', { bytes: Buffer.concat([name, Buffer.alloc(1)]) }),
        ...tarFile('short', bytes),
      );
    } else parts.push(paxPath(name), ...tarFile('short.jpg', bytes));
  }
  return Buffer.concat([...parts.map((part) => part ?? Buffer.alloc(0)), tarEnd]);
}

/** A pax header of a name of any bytes. */
function paxPath(name: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(' path='), name, Buffer.from('\n')]);
  let digits = String(rest.length).length;
  while (String(rest.length + digits).length > digits) digits++;
  return entry('PaxHeader/x', 'x', { bytes: Buffer.concat([Buffer.from(String(rest.length + digits)), rest]) });
}

/** Names in a folder and all folders in it that are no folders, by their bytes: what there is, counted in another way than ours. */
export function namesBelow(folder: Buffer | string): number {
  let count = 0;
  for (const found of readdirSync(folder, { withFileTypes: true, encoding: 'buffer' } as never) as unknown as {
    name: Buffer;
    isDirectory(): boolean;
  }[]) {
    if (!found.isDirectory()) count++;
    else count += namesBelow(Buffer.concat([Buffer.from(folder), Buffer.from('/'), found.name]));
  }
  return count;
}

/** Whether text may be shown on a terminal, or stand in a row: nothing that moves a cursor, ends a line or turns the order of letters. */
export function isHarmless(text: string): boolean {
  return !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(text.replaceAll('\n', ''));
}

/** What came of many names: samples read, and what is wrong. */
export interface NamesTried {
  readonly read: number;
  readonly passedOver: number;
  readonly wrong: readonly string[];
}

/**
 * Lays `count` files of strange names into a folder, and as many into tars; lists and reads all of them, and runs jobs over them into the sinks that make
 * names or rows of keys. Nothing may vanish without being counted, and nothing that is shown or written may do harm.
 */
export async function tryNames(root: string, count: number, seed: number): Promise<NamesTried> {
  const wrong: string[] = [];
  const bytes = await jpeg(gradient(8, 6));
  const folder = join(root, 'photos');
  mkdirSync(folder);
  strangeFolder(folder, count, bytes, seed);
  const tars = join(root, 'tars');
  mkdirSync(tars);
  const perTar = Math.min(count, 1000);
  for (let i = 0; i < count / perTar; i++) writeFileSync(join(tars, `${i}.tar`), strangeTar(perTar, bytes, seed + i));
  const pictures = imageFolder(folder);
  const packed = webdataset(tars);
  const listed = { folder: namesBelow(folder), tars: perTar * Math.ceil(count / perTar) };
  const inFolder = await openSource(imageFolder.definition, { path: folder });
  const inTars = await openSource(webdataset.definition, { path: tars });
  const read = (await readAll(inFolder, bytes, wrong)) + (await readAll(inTars, bytes, wrong));
  const passedOver = { folder: countOf(inFolder.passedOver), tars: countOf(inTars.passedOver) };
  for (const where of ['folder', 'tars'] as const) {
    const found = (where === 'folder' ? inFolder : inTars).count + passedOver[where];
    if (found !== listed[where]) wrong.push(`${where}: ${listed[where]} listed, ${found} found`);
  }
  await inTars.close?.();
  for (const [i, sink] of [images({ sheet: false }), toJsonl(), toWebdataset({ pictures: 'file' })].entries()) {
    const output = join(root, `out-${i}`);
    const shown: string[] = [];
    const onEvent = (event: RunEvent) => event.type !== 'progress' && shown.push(JSON.stringify(event));
    const source = i === 1 ? packed : pictures;
    const job = definePipeline({ name: 'job', source, stages: i === 0 ? [decode()] : [], sink, output } as never);
    const { sum, lines } = await run(job, { onEvent });
    if (sum!.delivered + sum!.failed + sum!.dropped + sum!.passedOver !== sum!.listed || sum!.failed > 0) {
      wrong.push(`${i}: ${JSON.stringify(sum)}`);
    }
    if (!lines.every(isHarmless)) wrong.push(`${i}: shown: ${lines.join(' | ')}`);
    wrong.push(...strangeOutput(output, sum!.delivered));
  }
  return { read, passedOver: passedOver.folder + passedOver.tars, wrong };
}

/** Reads every sample: each is the picture, and has a key of its own. */
async function readAll(source: OpenSource, bytes: Buffer, wrong: string[]): Promise<number> {
  const keys = new Set<string>();
  for (let i = 0; i < source.count; i++) {
    const key = source.key(i);
    if (keys.has(key)) wrong.push(`twice: ${JSON.stringify(key)}`);
    keys.add(key);
    try {
      const { bytes: found } = await source.read(i, new AbortController().signal);
      if (!bytes.equals(found as Uint8Array)) wrong.push(`other bytes: ${JSON.stringify(key)}`);
    } catch (error) {
      wrong.push(`${JSON.stringify(key)}: ${error}`);
    }
  }
  return keys.size;
}

/** Names and rows of an output that are not as they should be. */
function strangeOutput(output: string, delivered: number): string[] {
  const wrong: string[] = [];
  for (const name of readdirSync(output, { recursive: true, encoding: 'utf8' })) {
    if (!isHarmless(name) || /[\\'"<>|*?:]|\.\./.test(name)) wrong.push(`written: ${JSON.stringify(name)}`);
    if (!/(manifest|job-\d+)\.jsonl$/.test(name)) continue;
    const rows = readFileSync(join(output, name), 'utf8').split('\n').slice(0, -1);
    if (rows.length !== delivered) wrong.push(`${name}: ${rows.length} rows of ${delivered}`);
    for (const row of rows) if (typeof JSON.parse(row).key !== 'string') wrong.push(`${name}: ${row}`);
  }
  return wrong;
}
