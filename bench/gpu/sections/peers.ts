/**
 * A step of ours beside the same model in PyTorch, eager and compiled, in float32 and in bfloat16: in turns on the same card. Compilers take most of a minute for a
 * model, so they begin before anything is timed.
 */
import { availableParallelism } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import type { Precision } from '../../../src/backends/torch/precision.ts';
import type { EncoderSize } from '../../../src/models/layers/encoder.options.ts';
import { type PythonPeer, startPython } from '../../peers/python.ts';
import { models, type Plan } from '../../train-step/plans.ts';
import type { Training } from '../../train-step/training.ts';
import { digits, isTimeFor, kit, lineOf, middle, row, useTorch, whileTime } from '../child.ts';
import { flopOf, kitPlan, openNoise, precisions } from '../settings.ts';

const [size, N]: readonly [EncoderSize, number] = kit.tiny ? ['nano', 4] : ['base', 128];
const productSide = kit.tiny ? 512 : 8192;
/** A side takes so long in a turn, and comes so many times. */
const turnMs = kit.tiny ? 100 : 600;
const rounds = 3;
const warm = 4;

type Model = Plan['model'];
interface Side {
  readonly precision: 'float32' | 'bfloat16';
  readonly compiled: boolean;
}
const eager: readonly Side[] = [
  { precision: 'bfloat16', compiled: false },
  { precision: 'float32', compiled: false },
];
/** In the order of their importance: bfloat16 is how such models are trained. */
const compiled: readonly Side[] = [
  { precision: 'bfloat16', compiled: true },
  { precision: 'float32', compiled: true },
];
const nameOf = ({ precision, compiled }: Side) => `PyTorch ${compiled ? 'compiled' : 'eager'} ${precision}`;

const startPeer = () => startPython('gpu/sections/peer_steps.py', { modules: ['sys'], args: [kit.device] });
const openPeer = (python: PythonPeer, { model, config, noise }: Plan, side: Side) =>
  python.ask({ open: { model, config, N, side: noise.side, ...side } });

/** Turns of a side: the milliseconds of one step each, and what it held on the card. */
interface Turns {
  readonly ms: number[];
  memoryGiB?: number;
  warm?: number;
}

const stepsFor = (ms: number) => Math.max(1, Math.min(20, Math.round(turnMs / ms)));

/** The same training of ours in a precision, and its turns. */
interface Own {
  readonly precision: Precision;
  readonly training: Training;
  readonly turns: Turns;
}

/** In every precision that the device has. What a training has recorded keeps its precision. */
async function openOwn(plan: Plan): Promise<Own[]> {
  const all: Own[] = [];
  for (const precision of precisions) {
    if ((await useTorch(kit.device, precision)).precision !== precision) continue;
    const training = await openNoise(plan);
    for (let i = 0; i < warm; i++) await training.step();
    all.push({ precision, training, turns: { ms: [] } });
  }
  return all;
}

async function ownTurn({ precision, training, turns }: Own): Promise<void> {
  await useTorch(kit.device, precision);
  let [total, steps] = [0, 0];
  while (total < turnMs && steps < 20) {
    total += await training.step();
    steps++;
  }
  turns.ms.push(total / steps);
}

async function peerTurn(python: PythonPeer, turns: Turns): Promise<void> {
  const known = turns.ms.at(-1);
  const steps = known === undefined ? 2 : stepsFor(known);
  const { ms, memoryGiB } = await python.ask({ step: steps });
  turns.ms.push(Number(ms));
  if (memoryGiB !== undefined) turns.memoryGiB = Number(memoryGiB);
}

/** Ours and some sides of PyTorch in turns; those that are open already come as they are, eager ones are opened one after another. */
async function compare(
  plan: Plan,
  eagerPython: PythonPeer,
  opened: ReadonlyMap<string, Opened>,
  sides: readonly Side[],
) {
  const ours = await openOwn(plan);
  const theirs = new Map<Side, Turns>(sides.map((side) => [side, { ms: [] }]));
  try {
    for (let round = 0; round < rounds && (round === 0 || isTimeFor(4)); round++) {
      for (const own of ours) await ownTurn(own);
      for (const side of sides) {
        const turns = theirs.get(side)!;
        const python = side.compiled ? opened.get(`${plan.model} ${side.precision}`)?.python : eagerPython;
        if (python === undefined || Number.isNaN(turns.ms.at(-1))) continue;
        try {
          // One process serves all eager sides, one at a time: their memory is the card's largest.
          if (!side.compiled) turns.warm = Number((await openPeer(python, plan, side)).warm);
          await peerTurn(python, turns);
          await peerTurn(python, turns);
          if (!side.compiled) await python.ask({ close: {} });
        } catch (error) {
          turns.ms.push(Number.NaN);
          row({ what: `${plan.model} ${size} ${N}`, side: nameOf(side), error: lineOf(error) });
        }
      }
    }
    tell(plan, ours, theirs);
  } finally {
    for (const { training } of ours) training.dispose();
  }
}

function tell(plan: Plan, ours: readonly Own[], theirs: ReadonlyMap<Side, Turns>): void {
  const what = `${plan.model} ${size} ${N}`;
  const numbers = ({ ms, memoryGiB, warm }: Turns) => ({
    ms: digits(middle(ms)),
    images: digits((N * 1000) / middle(ms)),
    tflops: digits(((N * 1000) / middle(ms)) * flopOf(plan) * 1e-12, 3),
    ...(memoryGiB !== undefined && { memoryGiB: digits(memoryGiB, 3) }),
    ...(warm !== undefined && { warm: digits(warm, 2) }),
  });
  for (const { precision, training, turns } of ours)
    row({ what, side: `ours ${precision}`, ...numbers(turns), more: training.told() });
  for (const [side, turns] of theirs) {
    const measured = turns.ms.filter((ms) => !Number.isNaN(ms));
    if (measured.length === 0) continue;
    // The first turn of a side may still find things to set up.
    const settled = { ...turns, ms: measured.length > 1 ? measured.slice(1) : measured };
    const own = ours.find(({ precision }) => precision === side.precision);
    const ratio = own && digits(middle(settled.ms) / middle(own.turns.ms), 3);
    row({ what, side: nameOf(side), ...numbers(settled), ratio });
  }
}

/** A compiled model that is ready to be timed, in a process of its own. */
interface Opened {
  readonly python: PythonPeer;
  readonly warm: number;
}

/** What is kept for the turns, of the section's time. */
const turnsMs = kit.tiny ? 30_000 : 70_000;

/** A compiler keeps about two cores busy. On few cores models are compiled one after another, so that the first are ready in time. */
const compilers = Math.max(1, availableParallelism() >> 1);

/** Compiles all models, as many at once as there are cores for; a row says which could not be, or not in time. */
async function compileAll(side: Side, opened: Map<string, Opened>): Promise<void> {
  const waiting = [...models];
  const worker = async () => {
    for (let model = waiting.shift(); model !== undefined; model = waiting.shift())
      await compileOne(model, side, opened);
  };
  await Promise.all(Array.from({ length: compilers }, worker));
}

async function compileOne(model: Model, side: Side, opened: Map<string, Opened>): Promise<void> {
  const about = { what: `${model} ${size} ${N}`, side: nameOf(side) };
  const left = () => kit.deadline - turnsMs - Date.now();
  let python: PythonPeer | undefined;
  try {
    if (left() > 0) python = await startPeer();
    const warm =
      python &&
      (await Promise.race([
        openPeer(python, kitPlan(model, size, N, kit.tiny), side).then((answer) => Number(answer.warm)),
        setTimeout(Math.max(0, left())),
      ]));
    if (python === undefined || warm === undefined) throw new Error('it was not compiled in time');
    opened.set(`${model} ${side.precision}`, { python, warm });
    row({ ...about, compileSeconds: digits(warm, 3) });
  } catch (error) {
    python?.kill();
    row({ ...about, error: lineOf(error) });
  }
}

async function measureAll(): Promise<void> {
  const opened = new Map<string, Opened>();
  const [first, second] = compiled as readonly [Side, Side];
  const [python] = await Promise.all([startPeer(), compileAll(first, opened)]);
  row({ what: 'PyTorch', ...python.hello });
  for (const precision of ['bfloat16', 'tf32', 'float32']) {
    const { tflops } = await python.ask({ product: precision, side: productSide });
    row({ what: `product of ${productSide}³`, precision, tflops: digits(Number(tflops), 3) });
  }
  const what = { name: (model: Model) => `${model} ${size} ${N}`, seconds: kit.tiny ? 3 : 10 };
  await whileTime(models, what, (model) =>
    compare(kitPlan(model, size, N, kit.tiny), python, opened, [first, ...eager]),
  );
  for (const { python } of opened.values()) python.close();
  if (!isTimeFor((2 * turnsMs) / 1000)) return row({ cut: models.map((model) => `${model}: ${nameOf(second)}`) });
  await compileAll(second, opened);
  await whileTime(models, what, (model) => compare(kitPlan(model, size, N, kit.tiny), python, opened, [second]));
}

async function oursAlone(): Promise<void> {
  await whileTime(models, { name: String, seconds: 5 }, async (model) => {
    const plan = kitPlan(model, size, N, kit.tiny);
    const ours = await openOwn(plan);
    for (let round = 0; round < rounds; round++) for (const own of ours) await ownTurn(own);
    tell(plan, ours, new Map());
    for (const { training } of ours) training.dispose();
  });
}

await useTorch(kit.device);
if (kit.python === '') {
  row({ what: 'PyTorch', missing: 'no python here has torch: ours is measured alone' });
  await oursAlone();
} else await measureAll();
process.exit();
