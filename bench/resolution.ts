/**
 * How does a training step grow with the resolution, and how much faster is LoMaR than its rivals there? 224, 384 and 448 px, patch 16, windows of 7 × 7: 4, 6 and 9 of them, as the paper has them
 * (LoMaR, table 2 and figure 4), on micro-batches of noise, float32. Each with the backend's fused attention, and with the composed one, which keeps a table of T × T weights for each head, as the
 * paper's code did: how much of the claimed ratios comes from that? Ours is LoMaR, theirs the rival, in milliseconds per image, and the ratio is how many times faster LoMaR is. Arguments choose:
 * `npm run bench -- resolution torch cuda base 32 448 unfused`; the device is the CPU, the size tiny and the micro-batch 4 unless they are named. 224 px is always measured.
 */
import { type BackendWish, chooseBackend } from '../src/backends/choose.ts';
import { composeInstead, hasFused } from '../src/backends/fused.ts';
import { median } from '../src/balance/tune-micro-batch.ts';
import { models as definitions } from '../src/models/index.ts';
import type { EncoderSize } from '../src/models/layers/encoder.options.ts';
import { hiddenInWindow, hiddenOnGrid } from '../src/vision/masks.ts';
import type { Row } from './peers/row.ts';
import { isWanted, refuseUnknown } from './peers/wanted.ts';
import { type Plan, paper, planOf } from './train-step/plans.ts';
import { openTraining } from './train-step/training.ts';

const backends = ['torch', 'tensorflow', 'wasm'] as const;
const devices = ['cpu', 'cuda'] as const;
const sizes = ['nano', 'tiny', 'small', 'base', 'large'] as const satisfies readonly EncoderSize[];
const microBatches = ['1', '2', '4', '8', '16', '32', '64', '128', '256'];
const attentions = ['fused', 'unfused'] as const;
type Attention = (typeof attentions)[number];

/** Sides in pixels, and LoMaR's windows there. */
const views: Readonly<Record<string, number>> = { 224: 4, 384: 6, 448: 9 };
const sides = Object.keys(views);
const base = sides[0]!;

/** Who LoMaR is compared with, and how many times faster than it the paper found LoMaR. */
const rivals: readonly { readonly model: Plan['model']; readonly claims: Readonly<Record<string, number>> }[] = [
  { model: 'mae', claims: { 224: 0.88, 384: 2.5, 448: 3.1 } },
  { model: 'beit', claims: { 224: 2.2, 384: 5, 448: 5.3 } },
];

/** Steps that are not timed: they are recorded, compared with a replay, and replayed. */
const warmUp = 4;
const timed = 7;

export async function run(args: readonly string[] = []): Promise<{ rows: Row[]; notes: string[] }> {
  refuseUnknown(args, backends, devices, sizes, microBatches, attentions, sides);
  const backend = backends.find((name) => args.includes(name)) ?? 'torch';
  const device = devices.find((name) => args.includes(name)) ?? 'cpu';
  const size = sizes.find((name) => args.includes(name)) ?? 'tiny';
  const N = Number(microBatches.find((name) => args.includes(name)) ?? 4);
  const notes: string[] = [];
  const wish = { backend, device: device === 'cuda' ? 'cuda:0' : 'cpu' } as BackendWish;
  const { why } = await chooseBackend(wish, { warn: (text) => notes.push(text) });
  notes.push(why, 'BEiT is timed without its tokenizer, which the paper’s hours have in them.');
  const rows: Row[] = [];
  for (const attention of attentions) {
    if (!isWanted(attention, attentions, args)) continue;
    if (attention === 'fused' && !hasFused('PatchstreamAttention')) {
      notes.push(`${backend} has no fused attention: its steps are those with the composed one.`);
      continue;
    }
    const timings = new Map<string, Timing>();
    const timing = async (model: Plan['model'], side: string) => {
      const key = `${model} ${side}`;
      const known = timings.get(key) ?? (await timeOf(geometryPlan(model, size, N, side), attention));
      timings.set(key, known);
      return known;
    };
    for (const side of sides.filter((one) => one === base || isWanted(one, sides, args))) {
      for (const { model, claims } of rivals) {
        const [ours, theirs] = [await timing('lomar', side), await timing(model, side)];
        const first = { ours: await timing('lomar', base), theirs: await timing(model, base) };
        const row = {
          what: `${backend} ${device} ${size} micro-batch ${N}, ${side} px, ${attention} attention: lomar beside ${model}`,
          ours: ours.ms,
          theirs: theirs.ms,
          unit: 'ms/image',
          ratio: theirs.ms / ours.ms,
          more: [
            `multiply-adds ${times(theirs.macs / ours.macs)} (${giga(ours.macs)} and ${giga(theirs.macs)} G)`,
            ...(claims[side] === undefined ? [] : [`paper, ViT-B ${times(claims[side])}`]),
            `lomar, ${views[side]} windows: ${growth(ours, first.ours)}`,
            `${model}: ${growth(theirs, first.theirs)}`,
          ].join('; '),
        };
        console.error(`${row.what}: ${times(row.ratio)}`);
        rows.push(row);
      }
    }
  }
  return { rows, notes: [...notes, ...conclusions(rows)] };
}

function geometryPlan(model: Plan['model'], size: EncoderSize, N: number, side: string): Plan {
  const px = Number(side);
  const plan = planOf(model, size, N, { ...paper, side: px, windows: { K: paper.windows.K, M: views[side]! } });
  const { windows, grid } = plan.spec;
  const { ratio } = plan.noise;
  const hidden = windows ? hiddenInWindow(windows.K, ratio) : hiddenOnGrid(grid!.side ** 2, ratio);
  return { ...plan, spec: { ...plan.spec, hidden } };
}

interface Timing {
  /** Median of the steps, for one image. */
  readonly ms: number;
  /** Multiply-adds of a forward pass of one image, as the model counts them. */
  readonly macs: number;
}

async function timeOf(plan: Plan, attention: Attention): Promise<Timing> {
  composeInstead(attention === 'fused' ? [] : ['PatchstreamAttention', 'PatchstreamAttentionGrad']);
  const training = await openTraining(plan);
  try {
    for (let i = 0; i < warmUp; i++) await training.step();
    const ms: number[] = [];
    for (let i = 0; i < timed; i++) ms.push(await training.step());
    return { ms: median(ms) / plan.N, macs: macsOf(plan) };
  } finally {
    training.dispose();
    composeInstead([]);
  }
}

function macsOf({ model, options, spec }: Plan): number {
  const definition = definitions.find(({ name }) => name === model)!;
  return definition.cost!(definition.options.parse(options), spec)!.macs;
}

/** `1.49 × its 224 px (multiply-adds 1.51 ×)` */
function growth(at: Timing, first: Timing): string {
  return `${times(at.ms / first.ms)} its ${base} px (multiply-adds ${times(at.macs / first.macs)})`;
}

/** What fused attention makes of each ratio. */
function conclusions(rows: readonly Row[]): string[] {
  return rows.flatMap(({ what, ratio }) => {
    if (!what.includes(' fused ')) return [];
    const other = rows.find((row) => row.what === what.replace(' fused ', ' unfused '));
    return other === undefined ? [] : [`${what}: ${times(ratio)}; unfused ${times(other.ratio)}.`];
  });
}

const times = (ratio: number) => `${ratio.toFixed(2)} ×`;
const giga = (macs: number) => (macs / 1e9).toPrecision(3);
