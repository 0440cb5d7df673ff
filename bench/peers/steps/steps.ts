import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { venvsFolder } from '../../../scripts/lib/venv.mjs';
import { models, planOf, sizes } from '../../train-step/plans.ts';
import { ownTree, pythonOf, treeWith } from '../installed.ts';
import { ourSide } from '../loading/loaders.ts';
import type { PeerRow } from '../peer-row.ts';
import { bestSetting, compareRounds, takeTurns } from '../rounds.ts';
import { Side, type SideCommand } from '../side.ts';

/** What PyTorch is measured as. */
const variants = [
  { peer: 'PyTorch eager, float32', precision: 'float32', compiled: false },
  { peer: 'PyTorch compiled, float32', precision: 'float32', compiled: true },
  { peer: 'PyTorch eager, bfloat16', precision: 'bfloat16', compiled: false },
  { peer: 'PyTorch compiled, bfloat16', precision: 'bfloat16', compiled: true },
] as const;

type Variant = (typeof variants)[number];

const precisions = ['float32', 'bfloat16'] as const;
/** Of each precision against the same. */
const ours = (engine: string, precision: Variant['precision']) => `${engine}, ${precision}`;

export const stepNames = models.flatMap((model) => sizes.map((size) => `${model} ${size}`));

/** A micro-batch that keeps two cores busy. */
const N = 16;

interface StepBench {
  readonly minutes: number;
  readonly quick: boolean;
  readonly notes: string[];
}

/** Rows of the models wanted: both of our engines beside every form of PyTorch, all in turns. */
export async function* stepRows(
  { minutes, quick, notes }: StepBench,
  wanted: (name: string) => boolean,
): AsyncGenerator<PeerRow> {
  const chosen = stepNames.filter(wanted);
  if (chosen.length === 0) return;
  const torch = pythonOf('torch');
  if ('missing' in torch) {
    for (const name of chosen) yield { what: `step: ${name}`, kind: 'step', peer: 'PyTorch', missing: torch.missing };
    return;
  }
  const engines: Record<string, SideCommand> = { 'Debian libtorch': ourSide('steps/our-step', ownTree) };
  const built = await treeWith(torch.python);
  if ('missing' in built) notes.push(`Without our engine on the peer's libtorch: ${built.missing}`);
  else engines["the peer's libtorch"] = ourSide('steps/our-step', built.tree);
  for (const name of chosen) {
    const deadline = performance.now() + (minutes * 60_000) / chosen.length;
    try {
      yield* rowsOf(name, { engines, python: torch.python, quick, deadline, notes });
    } catch (error) {
      // A side that ended in the middle, such as for want of memory, takes no other model's rows with it.
      yield { what: `step: ${name}`, kind: 'step', peer: 'PyTorch', missing: reasonOf(error) };
    }
  }
}

interface Contest {
  readonly engines: Readonly<Record<string, SideCommand>>;
  readonly python: string;
  readonly quick: boolean;
  readonly deadline: number;
  readonly notes: string[];
}

async function* rowsOf(name: string, { engines, python, quick, deadline, notes }: Contest): AsyncGenerator<PeerRow> {
  const [model, size] = name.split(' ') as [(typeof models)[number], (typeof sizes)[number]];
  const started: Side[] = [];
  const turns: Record<string, () => Promise<number>> = {};
  const versions: Record<string, string> = {};
  const more: Record<string, string> = {};
  const failed: Record<string, string> = {};
  try {
    for (const [engine, command] of Object.entries(engines)) {
      await guarded(engine, failed, async () => {
        const { side, hello } = await Side.start(command);
        started.push(side);
        versions[engine] = String(hello.version);
        await side.ask({ open: { model, size, N } });
      });
      const side = started.at(-1);
      if (side === undefined || failed[engine] !== undefined) continue;
      for (const precision of precisions) {
        const name = ours(engine, precision);
        await guarded(name, failed, async () => {
          // Steps are computed, recorded and compared with a replay before they are replayed: the fourth is the last slow one.
          await side.ask({ step: 5, precision });
          turns[name] = () => step(side, { precision });
        });
      }
    }
    for (const variant of variants) {
      // A precision that none of ours computes in on this machine is compared with nothing, and theirs may take minutes a step.
      if (!Object.keys(engines).some((engine) => turns[ours(engine, variant.precision)] !== undefined)) continue;
      await guarded(variant.peer, failed, async () => {
        const opened = await openPytorch(python, variant, { model, size, quick });
        started.push(opened.side);
        versions[variant.peer] = opened.version;
        more[variant.peer] = opened.how;
        turns[variant.peer] = () => step(opened.side);
      });
    }
    const rounds = await takeTurns(turns, { rounds: quick ? 3 : 10, deadline });
    for (const [engine, reason] of Object.entries(failed))
      if (!variants.some(({ peer }) => peer === engine)) notes.push(`${name} without ${engine}: ${reason}`);
    for (const { peer, precision } of variants) {
      if (failed[peer] !== undefined)
        yield { what: `step: ${name}, ${peer}`, kind: 'step', peer, missing: failed[peer] };
      for (const engine of Object.keys(engines)) {
        const [own, theirs] = [rounds[ours(engine, precision)], rounds[peer]];
        if (own === undefined || theirs === undefined) continue;
        yield {
          what: `step: ${name}, ${peer}, ours on ${versions[engine]}`,
          kind: 'step',
          model: name,
          engine: versions[engine]!,
          precision,
          peer,
          version: versions[peer]!,
          unit: 'ms',
          ...compareRounds(own, theirs),
          rounds: own.length,
          more: more[peer]!,
        };
      }
    }
  } finally {
    for (const side of started) side.close();
  }
}

/** Does the work, or keeps why it could not be done. */
async function guarded(name: string, failed: Record<string, string>, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    failed[name] = reasonOf(error);
  }
}

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error)).split('\n')[0]!;

/** Kernels that torch.compile has made are kept: compiling is no part of a step. */
const inductor = { TORCHINDUCTOR_CACHE_DIR: join(venvsFolder(process.env), 'inductor') };

async function openPytorch(
  python: string,
  { precision, compiled }: Variant,
  { model, size, quick }: { model: (typeof models)[number]; size: (typeof sizes)[number]; quick: boolean },
) {
  const script = fileURLToPath(new URL('train_step.py', import.meta.url));
  const { side, hello } = await Side.start({ command: python, args: ['-B', script], environment: inductor });
  try {
    const { config, noise } = planOf(model, size, N);
    const cores = Number(hello.cores);
    await side.ask({ threads: [cores, cores] });
    await side.ask({ open: { model, config, N, side: noise.side, precision, compiled } });
    await side.ask({ step: 2 });
    const best: StepSetting = quick ? { own: cores, optimizer: 'fused' } : await settingFor(python, precision, cores);
    // Threads are a constant of what is compiled.
    const setting = compiled ? { ...best, own: cores } : best;
    await use(side, setting);
    return {
      side,
      version: `PyTorch ${hello.torch}`,
      how: `${setting.own} threads, ${setting.optimizer} AdamW`,
    };
  } catch (error) {
    side.close();
    throw error;
  }
}

interface StepSetting {
  readonly own: number;
  readonly optimizer: 'foreach' | 'fused';
}

const settings = new Map<string, Promise<StepSetting>>();

/** The threads and the optimizer's loop that suit PyTorch best in this precision, found once, on the smallest of the models. */
function settingFor(python: string, precision: Variant['precision'], cores: number): Promise<StepSetting> {
  const known = settings.get(precision) ?? findSetting(python, precision, cores);
  settings.set(precision, known);
  return known;
}

async function findSetting(python: string, precision: Variant['precision'], cores: number): Promise<StepSetting> {
  const script = fileURLToPath(new URL('train_step.py', import.meta.url));
  const { side } = await Side.start({ command: python, args: ['-B', script] });
  try {
    const { model, config, noise } = planOf('lomar', 'tiny', N);
    await side.ask({ open: { model, config, N, side: noise.side, precision } });
    const threads = [...new Set([cores, Math.max(1, cores >> 1)])];
    const candidates = threads.flatMap((own) =>
      (['foreach', 'fused'] as const).map((optimizer) => ({ own, optimizer })),
    );
    return await bestSetting(candidates, async (candidate) => {
      await use(side, candidate);
      return Number((await side.ask({ step: 3 })).ms);
    });
  } finally {
    side.close();
  }
}

async function use(side: Side, { own, optimizer }: StepSetting): Promise<void> {
  await side.ask({ threads: [own, own] });
  await side.ask({ optimizer });
  await side.ask({ step: 1 });
}

async function step(side: Side, how: object = {}): Promise<number> {
  return Number((await side.ask({ step: 1, ...how })).ms);
}

/** Takes a step of every compiled form, which leaves its kernels behind. Gives what failed. */
export async function compileAll(python: string): Promise<string[]> {
  const notes: string[] = [];
  for (const variant of variants.filter(({ compiled }) => compiled)) {
    for (const name of stepNames) {
      const [model, size] = name.split(' ') as [(typeof models)[number], (typeof sizes)[number]];
      const failed: Record<string, string> = {};
      await guarded(name, failed, async () => {
        const begun = performance.now();
        const { side } = await openPytorch(python, variant, { model, size, quick: true });
        side.close();
        console.error(`${variant.peer}, ${name}: ${((performance.now() - begun) / 1000).toFixed(0)} s`);
      });
      if (failed[name] !== undefined) notes.push(`${variant.peer}, ${name}: ${failed[name]}`);
    }
  }
  return notes;
}
