/**
 * Photographs of 500 × 375 px to vectors, from files, by the same encoder in float32 on all cores: ours beside torchvision's DataLoader with PyTorch 2.x, the faster of eager and
 * compiled at its best number of workers, and beside transformers.js (onnxruntime) at its best batch, which has the MAE's alone. Each side stands still while another has its turn, and ratios are
 * medians of rounds. Then ours coupled beside its slower half alone, and beside what two works that share all cores can make: a picture takes the time of both. Arguments choose:
 * `npm run bench -- embed mae-tiny`, `npm run bench -- embed coupled`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chooseBackend } from '../src/backends/choose.ts';
import { median } from '../src/balance/tune-micro-batch.ts';
import { safetensorsParts } from '../src/formats/safetensors.ts';
import { buildModel, models } from '../src/models/index.ts';
import { Random } from '../src/random.ts';
import { trainedKey, trainedText } from '../src/train/weights/trained-on.ts';
import { modelTensors } from '../src/train/weights/weights.ts';
import type { Spec } from '../src/vision/spec.ts';
import { Bench } from './loader/bench.ts';
import { pythonOf } from './peers/installed.ts';
import { ourSide } from './peers/loading/loaders.ts';
import { nodePeer } from './peers/node-peer.ts';
import { bestSetting, compareRounds, describeSetting, type Setting, takeTurns } from './peers/rounds.ts';
import type { Row } from './peers/row.ts';
import { type Answer, Side } from './peers/side.ts';
import { isWanted, refuseUnknown } from './peers/wanted.ts';

interface Work {
  readonly model: 'mae' | 'lomar';
  readonly size: 'nano' | 'tiny' | 'small';
  readonly side: number;
  readonly patch: number;
  /** Batches of 32 that are timed in a turn, and skipped before: more than any side has ready. */
  readonly batches: number;
  readonly skip: number;
}

const works: Readonly<Record<string, Work>> = {
  'mae-tiny': { model: 'mae', size: 'tiny', side: 224, patch: 16, batches: 6, skip: 4 },
  'mae-small': { model: 'mae', size: 'small', side: 224, patch: 16, batches: 3, skip: 4 },
  'lomar-tiny': { model: 'lomar', size: 'tiny', side: 224, patch: 16, batches: 6, skip: 4 },
  'lomar-small': { model: 'lomar', size: 'small', side: 224, patch: 16, batches: 3, skip: 4 },
  'mae-nano-64': { model: 'mae', size: 'nano', side: 64, patch: 8, batches: 32, skip: 12 },
  'lomar-nano-64': { model: 'lomar', size: 'nano', side: 64, patch: 8, batches: 32, skip: 12 },
};

const parts = ['peers', 'coupled'] as const;
const batch = 32;
const compared = 16;

export async function run(args: readonly string[] = []): Promise<{ rows: Row[]; notes: string[] }> {
  refuseUnknown(args, [...Object.keys(works), ...parts]);
  const bench = new Bench();
  const rows: Row[] = [];
  const notes: string[] = [];
  try {
    await bench.files();
    await chooseBackend({ backend: 'auto', device: 'auto' }, { warn: (text) => notes.push(text) });
    for (const [name, work] of Object.entries(works)) {
      if (!isWanted(name, Object.keys(works), args)) continue;
      for await (const row of rowsOf(name, work, { bench, notes, args })) {
        console.error(`${row.what}: ${row.ratio.toFixed(2)}`);
        rows.push(row);
      }
    }
  } finally {
    await bench.close();
  }
  return { rows, notes: [...new Set(notes)] };
}

interface Run {
  readonly bench: Bench;
  readonly notes: string[];
  readonly args: readonly string[];
}

async function* rowsOf(name: string, work: Work, { bench, notes, args }: Run): AsyncGenerator<Row> {
  const weights = await writeWeights(name, work, bench.folder);
  const { batches: _b, skip: _s, ...about } = work;
  const opening = { ...about, weights, folder: bench.photos, batch };
  const sides: Side[] = [];
  const start = async (command: Parameters<typeof Side.start>[0]) => {
    const { side, hello } = await Side.start(command);
    sides.push(side);
    return { side, hello };
  };
  try {
    const ours = await start(ourSide('embed/our-embed'));
    await ours.side.ask({ open: { ...opening, how: 'coupled' } });
    const { rows: own } = await ours.side.ask({ vectors: { ...opening, count: compared } });
    const peers = isWanted('peers', parts, args) ? peersOf(name, work, { opening, bench, start }) : [];
    for await (const peer of peers) {
      if ('missing' in peer) {
        notes.push(`Without ${peer.peer}: ${peer.missing}`);
        continue;
      }
      const { rows: theirs } = await peer.side.ask({ vectors: { ...peer.opening, count: compared } });
      const far = cosineDistance(own as number[][], theirs as number[][]);
      const open = (setting: Setting) => peer.side.ask({ open: { ...peer.opening, setting } });
      const setting = await bestSetting(peer.hello.settings as Setting[], async (each) => {
        await open(each);
        return perImage(await peer.side.ask({ turn: { skip: 1, batches: Math.max(2, work.batches >> 1) } }));
      });
      await open(setting);
      await ours.side.ask({ open: { ...opening, how: 'coupled' } });
      const { ratio, ...ms } = await compareTurns(ours.side, peer.side, work);
      yield {
        what: `${name}, beside ${peer.peer}`,
        ...perSecond(ms),
        unit: 'images/s',
        ratio,
        more: `${peer.hello.version}; ${describeSetting(setting)}; vectors ${far.toExponential(1)} apart by cosine`,
      };
      peer.side.close();
    }
    if (isWanted('coupled', parts, args)) yield await coupledRow(name, work, { opening, start, ours: ours.side });
  } finally {
    for (const side of sides) side.close();
  }
}

type Started = Awaited<ReturnType<typeof Side.start>>;
type Start = (command: Parameters<typeof Side.start>[0]) => Promise<Started>;

interface Halves {
  readonly opening: object;
  readonly start: Start;
  /** The side that made the vectors. */
  readonly ours: Side;
}

async function coupledRow(name: string, work: Work, { opening, start, ours }: Halves): Promise<Row> {
  const half = async (how: 'loader' | 'encoder') => {
    const { side } = await start(ourSide('embed/our-embed'));
    await side.ask({ open: { ...opening, how } });
    return turnOf(side, work);
  };
  const turns = { coupled: turnOf(ours, work), loader: await half('loader'), encoder: await half('encoder') };
  await ours.ask({ open: { ...opening, how: 'coupled' } });
  const { coupled, loader, encoder } = await takeTurns(turns, { rounds: 9, deadline: performance.now() + 240_000 });
  const slower = median(loader!) > median(encoder!) ? 'loader' : 'encoder';
  const alone = slower === 'loader' ? loader! : encoder!;
  const { ratio, ...ms } = compareRounds(coupled!, alone);
  const shared = compareRounds(
    coupled!,
    loader!.map((time, round) => time + encoder![round]!),
  );
  return {
    what: `${name}, coupled against the ${slower} alone`,
    ...perSecond(ms),
    unit: 'images/s',
    ratio,
    more: `${shared.ratio.toFixed(2)} of loader and encoder one after the other; loader alone ${(1000 / median(loader!)).toFixed(0)} images/s; rounds ${coupled!.map((time, round) => (alone[round]! / time).toFixed(2)).join(' ')}`,
  };
}

async function compareTurns(ours: Side, theirs: Side, work: Work) {
  const turns = { ours: turnOf(ours, work), theirs: turnOf(theirs, work) };
  const times = await takeTurns(turns, { rounds: 7, deadline: performance.now() + 150_000 });
  return compareRounds(times.ours!, times.theirs!);
}

/** Milliseconds that an image takes in a turn of this side. */
function turnOf(side: Side, { skip, batches }: Work): () => Promise<number> {
  return async () => perImage(await side.ask({ turn: { skip, batches } }));
}

type Peer =
  | ({ readonly peer: string; readonly opening: object } & Started)
  | { readonly peer: string; readonly missing: string };

interface Peering {
  readonly opening: object;
  readonly bench: Bench;
  readonly start: Start;
}

async function* peersOf(name: string, { model, side }: Work, { opening, bench, start }: Peering): AsyncGenerator<Peer> {
  const script = fileURLToPath(new URL('peers/embed/embed.py', import.meta.url));
  const torch = pythonOf('torch');
  if ('missing' in torch) yield { peer: 'PyTorch', missing: torch.missing };
  else yield { peer: 'PyTorch', opening, ...(await start({ command: torch.python, args: ['-B', script] })) };
  if (model !== 'mae') return;
  const peer = 'transformers.js';
  const [node, onnx] = [nodePeer('embed/transformers'), pythonOf('onnx')];
  if ('missing' in node || 'missing' in onnx) {
    yield { peer, missing: 'missing' in node ? node.missing : (onnx as { missing: string }).missing };
    return;
  }
  const folder = join(bench.folder, name);
  const exporter = await start({ command: onnx.python, args: ['-B', script] });
  mkdirSync(join(folder, 'onnx'), { recursive: true });
  await exporter.side.ask({ export: { ...opening, out: join(folder, 'onnx', 'model.onnx') } });
  exporter.side.close();
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ model_type: 'vit', architectures: ['ViTModel'] }));
  const size = { height: side, width: side };
  const cut = {
    ...{ image_processor_type: 'ViTImageProcessor', do_resize: true, size: { shortest_edge: side }, resample: 3 },
    ...{ do_center_crop: true, crop_size: size, do_rescale: true, rescale_factor: 1 / 255, do_normalize: true },
    ...{ image_mean: [0.485, 0.456, 0.406], image_std: [0.229, 0.224, 0.225] },
  };
  writeFileSync(join(folder, 'preprocessor_config.json'), JSON.stringify(cut));
  const mjs = fileURLToPath(new URL('peers/embed/transformers.mjs', import.meta.url));
  const started = await start({ command: process.execPath, args: [mjs, node.folder] });
  yield { peer, opening: { folder: bench.photos, model: folder }, ...started };
}

const perImage = ({ ms, images }: Answer) => Number(ms) / Number(images);

function perSecond({ ours, theirs }: { ours: number; theirs: number }) {
  return { ours: 1000 / ours, theirs: 1000 / theirs };
}

/** The greatest distance of two vectors of the same picture. */
function cosineDistance(ours: readonly number[][], theirs: readonly number[][]): number {
  const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  return Math.max(...ours.map((a, i) => 1 - dot(a, theirs[i]!) / Math.sqrt(dot(a, a) * dot(theirs[i]!, theirs[i]!))));
}

/** Fresh weights in a file, as a checkpoint has them. */
async function writeWeights(name: string, { model: kind, size, side, patch }: Work, folder: string): Promise<string> {
  const grid = side / patch;
  const spec: Spec = {
    fields: { picture: 'picture', masks: { dtype: 'uint8', shape: [grid * grid] } },
    ...{ size: [side, side], grid: { patch, side: grid }, hidden: Math.floor(grid * grid * 0.75) },
    ...(kind === 'lomar' && { windows: { K: 7, M: 4 } }),
  };
  const options = models.find((one) => one.name === kind)!.options.parse({ size });
  const model = await buildModel({ name: kind, options, spec });
  const params = model.init((parameter) => new Random(1, 'bench', parameter));
  const stages = [
    { name: 'decode', options: {} },
    { name: 'resize', options: { size: side } },
  ];
  const metadata = { [trainedKey]: trainedText({ model: { name: kind, options, spec }, stages }) };
  const parts: Uint8Array[] = [];
  for await (const part of safetensorsParts(modelTensors(model, params), metadata)) parts.push(Uint8Array.from(part));
  const path = join(folder, `${name}.safetensors`);
  writeFileSync(path, Buffer.concat(parts));
  return path;
}
