/**
 * How fast are the loader and the training step beside what people use today? FFCV, DALI on CPU, tf.data, Grain, SPDL and torchvision's DataLoader on the same files; PyTorch 2.x eager
 * and compiled, in float32 and in bfloat16, on the same models. All are installed from PyPI in pinned versions (bench/peers/requirements) into the user's cache folder, and each at the best of its
 * settings. Every side runs in processes of its own, which stand still while another has its turn; ratios are medians of rounds. A peer that is not here is a row with the reason.
 *
 * `npm run bench -- peers prepare` installs, builds and compiles everything without measuring. Arguments choose: `loader`, `step`, the name of a peer, `'lomar tiny'`; `resume` keeps the rows that were measured today;
 * `quick` only looks whether all runs.
 */
import { Bench } from './loader/bench.ts';
import { loaderNames, loaderRows, ourPixels } from './peers/loading/loaders.ts';
import { pageOf } from './peers/page.ts';
import { isAbsentRow, type PeerRow } from './peers/peer-row.ts';
import { prepare } from './peers/prepare.ts';
import { stepNames, stepRows } from './peers/steps/steps.ts';
import { isWanted, refuseUnknown } from './peers/wanted.ts';

/** What a run may take, without installing and compiling. */
const minutes = { loader: 8, step: 60 };
const kinds = ['loader', 'step'] as const;
const words = ['prepare', 'resume', 'quick'] as const;

interface Kept {
  /** The rows of before that were measured today on this machine. */
  readonly rows: readonly PeerRow[];
  keep(rows: readonly PeerRow[], notes: readonly string[]): void;
}

export async function run(args: readonly string[], kept: Kept): Promise<{ rows: readonly PeerRow[]; notes: string[] }> {
  refuseUnknown(args, kinds, words, loaderNames, stepNames);
  const notes: string[] = [];
  if (args.includes('prepare')) return { rows: [], notes: await prepare() };
  const quick = args.includes('quick');
  const done: PeerRow[] = [];
  const add = (row: PeerRow) => {
    done.push(row);
    console.error(
      // The turns of `quick` are far too short for a figure.
      isAbsentRow(row)
        ? `${row.what}: not measured, ${row.missing}`
        : `${row.what}: ${quick ? 'it runs' : row.ratio.toFixed(2)}`,
    );
    if (!quick) kept.keep(done, notes);
  };
  const isDone = (begin: string) =>
    args.includes('resume') && kept.rows.some((row) => !isAbsentRow(row) && row.what.startsWith(begin));
  const named = args.filter((each) => !(words as readonly string[]).includes(each));
  const names = [...kinds, ...loaderNames, ...stepNames];
  const wants = (kind: string, name: string) => isWanted(kind, names, named) || named.includes(name);
  const bench = new Bench();
  try {
    for await (const row of loaderRows(
      { bench, minutes: minutes.loader, quick },
      (peer) => wants('loader', peer) && !isDone(`loader: ${peer}`),
    )) {
      add(row);
    }
    if (done.length > 0) notes.push(`Our pixels: ${(await ourPixels(bench)).toFixed(2)} of 255 from Pillow.`);
  } finally {
    await bench.close();
  }
  for await (const row of stepRows(
    { minutes: minutes.step, quick, notes },
    (name) => wants('step', name) && !isDone(`step: ${name},`),
  )) {
    add(row);
  }
  return { rows: quick ? [] : done, notes };
}

/** The tables in docs/results.md and README.md, from all rows that are kept. */
export const figures = pageOf;
