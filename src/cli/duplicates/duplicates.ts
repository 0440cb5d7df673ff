import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { counted } from '../../counts.ts';
import { printable } from '../../errors.ts';
import { builtin } from '../../pipeline/builtin.ts';
import { check } from '../../pipeline/check.ts';
import { type Definition, define } from '../../pipeline/definition.ts';
import { sourceIn, type WrittenSource, writtenSource } from '../../runs/loader/written-source.ts';
import { comparedGroups } from '../../runs/search/compared.ts';
import { type Group, type GroupedPicture, Groups, howLike, summaryOf } from '../../sinks/duplicates/groups.ts';
import { readRows } from '../../sinks/duplicates/row.ts';
import { duplicates as duplicatesSink } from '../../sinks/index.ts';
import type { Source } from '../../sources/source.ts';
import { decode, perceptualHash } from '../../stages/index.ts';
import { jsonOf, textOf } from '../../whole-file.ts';
import { problemLines } from '../check.ts';
import { type Command, exits, type Given, numbersOf, type Output, onlyWord, type Terminal } from '../command.ts';
import { jobOptions, runShown } from '../run.ts';
import { photosOption } from '../sheets/pictures.ts';
import { sayArrived } from '../use/arrived.ts';
import { nameOf, picturesAt } from '../use/pictures.ts';
import { writeSheet } from './sheet.ts';
import { isVectors, ofVectors } from './vectors.ts';

const { part: _, ...options } = jobOptions;

/** `patchstream duplicates <photos>` */
export const duplicates: Command = {
  name: 'duplicates',
  usage: '<photos or vectors>',
  works: true,
  summary:
    'Find near-duplicates: copies, crops and mirror images among pictures (a folder, a list, a table of Parquet), without a model; or vectors that are nearly the same.',
  options: {
    within: {
      type: 'string',
      value: 'bits',
      about: 'Bits of 255 in which the hashes of pictures as they are may differ, 0 to 96. Default 60.',
    },
    above: {
      type: 'string',
      value: 'likeness',
      about:
        'How alike crops and mirror images are at least, 0.9 to 1, default 0.97; of vectors their cosine, default 0.9.',
    },
    sheet: { type: 'string', value: 'file.html', about: 'Write a page that shows the groups.' },
    photos: photosOption,
    output: {
      type: 'string',
      value: 'folder',
      about:
        'The folder to write; a job that was stopped resumes in it, and one that is done is printed again: --fresh looks at the pictures anew. Named in place of <photos>, its groups are printed again. With vectors: what was compared is kept there, and only new ones are compared later.',
    },
    ...options,
  },
  async run(given, terminal) {
    const word = onlyWord(duplicates, given);
    const compared = await comparedGroups(word);
    if (compared !== undefined) {
      await report(compared, undefined, given, terminal);
      return exits.ok;
    }
    const earlier = sourceOf(word);
    if (earlier !== undefined) {
      await report(await groupsIn(word), earlier, given, terminal);
      return exits.ok;
    }
    if (await isVectors(word)) {
      const { groups, source, code } = await ofVectors(word, given, terminal);
      await report(groups, source, given, terminal);
      return code;
    }
    const source = await picturesAt(word);
    const output = resolve(given.text('output') ?? join('duplicates', nameOf(word)));
    const code = await find(source, output, given, terminal);
    // The job has said how many groups there are.
    if (code === exits.ok)
      await report(await groupsIn(output), writtenSource(source), given, terminal, { isCounted: true });
    return code;
  },
};

/** The source of an earlier job with the sink of this verb, if the folder is that of one. */
function sourceOf(folder: string): WrittenSource | undefined {
  const text = textOf(join(folder, 'pipeline.json'));
  const pipeline = jsonOf(text ?? '') as Partial<EarlierJob> | undefined;
  return pipeline?.sink?.duplicates === undefined ? undefined : sourceIn(text);
}

/** What such a job has found. */
async function groupsIn(output: string): Promise<Groups> {
  const groups = new Groups();
  for await (const row of readRows(await filesOf(join(output, 'duplicates')))) groups.add(row);
  return groups;
}

interface EarlierJob {
  readonly sink: { readonly duplicates?: unknown };
}

async function find(source: Source, output: string, given: Given, terminal: Terminal): Promise<number> {
  const { within, above, ...run } = numbersOf(given, 'within', 'above', 'threads', 'reads');
  const definition: Definition = define({
    name: 'pictures',
    source,
    // Broken pictures are counted.
    stages: [decode({ maxFailures: '100%' }), perceptualHash({ maxFailures: '100%' })],
    sink: duplicatesSink({ ...(within !== undefined && { within }), ...(above !== undefined && { above }) }),
    output,
    ...run,
  });
  const problems = check(definition, builtin);
  for (const line of problemLines(problems)) terminal.stderr.write(`${line}\n`);
  if (problems.length > 0) return exits.usage;
  if (!given.flag('fresh') && !given.flag('watch'))
    await sayArrived(output, source, onlyWord(duplicates, given), terminal);
  return runShown(definition, given, terminal, builtin);
}

async function filesOf(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.jsonl'));
  return names.sort().map((name) => join(folder, name));
}

/** Groups that are printed. */
const most = 20;

/** Prints the groups, and writes the page. @param from where the pictures lie; where that is not known, keys are paths from here. @param isCounted whether the user knows how many groups there are. */
async function report(
  groups: Groups,
  from: WrittenSource | undefined,
  given: Given,
  { stdout, stderr }: Terminal,
  { isCounted = false } = {},
): Promise<void> {
  const list = groups.list();
  if (given.flag('json')) {
    stdout.write(`${JSON.stringify({ type: 'duplicates', pictures: groups.pictures, groups: list })}\n`);
  } else {
    print(list, stdout);
    if (!isCounted) stdout.write(`${summaryOf(groups.pictures, list)}\n`);
  }
  const sheet = given.text('sheet');
  if (sheet === undefined) return;
  const missing = await writeSheet(sheet, given.text('photos') ?? from ?? '.', {
    pictures: groups.pictures,
    groups: list,
  });
  for (const line of missing) stderr.write(`${printable(line)}\n`);
  if (!given.flag('json')) stdout.write(`${sheet}\n`);
}

function print(list: readonly Group[], stdout: Output): void {
  for (const [i, group] of list.slice(0, most).entries()) {
    const lines = group.pictures.map((picture, j) => (j === 0 ? printable(picture.key) : lineOf(picture)));
    stdout.write(`${String(i + 1).padStart(3)}  ${lines.join('\n     ')}\n`);
  }
  if (list.length > most) stdout.write(`… and ${counted(list.length - most, 'group')} more\n`);
}

function lineOf(picture: GroupedPicture): string {
  return `${printable(picture.key)}  ${howLike(picture)}`;
}
