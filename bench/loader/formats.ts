import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pythonOf } from '../peers/installed.ts';
import { differenceOf, ourSide } from '../peers/loading/loaders.ts';
import { bestSetting, compareRounds, describeSetting, type Setting, takeTurns } from '../peers/rounds.ts';
import type { Row } from '../peers/row.ts';
import { type Answer, Side } from '../peers/side.ts';
import type { Bench } from './bench.ts';
import { makeSquares, type Squares } from './files.ts';
import { type Cut, croppedPictures, cutOf, renderFile, side } from './ours.ts';
import { meansOf } from './pixels.ts';

/** PNGs and WebPs of photographs, and the batches of a turn: about a second of ours. */
interface Format extends Squares {
  readonly batches: number;
}

/** The rows, by the argument that chooses them. */
export const formats: Readonly<Record<string, Format>> = {
  'png 32': { format: 'png', side: 32, across: 1, count: 1024, batches: 200 },
  'png 256': { format: 'png', side: 256, across: 2, count: 256, batches: 40 },
  'png 1024': { format: 'png', side: 1024, across: 6, count: 64, batches: 4 },
  'webp 256': { format: 'webp', side: 256, across: 2, count: 256, batches: 40 },
  'webp 1024': { format: 'webp', side: 1024, across: 6, count: 64, batches: 4 },
};

/** Batches that are skipped at the beginning of a turn: torchvision makes two ahead for each of at most 2 workers a core. */
const skip = { turn: 8, trial: 4 };
const rounds = 7;
const patienceMs = 80_000;

interface Peer {
  readonly name: string;
  readonly how: string;
  readonly side: Side;
  readonly settings: readonly Setting[];
}

/**
 * Ours beside torchvision's DataLoader (`decode_image` and v2) and beside bare sharp in one run: random crops of the same files, to 224 px or their own size, each at its best setting,
 * in processes that stand still while another has its turn. Sharp is measured though what it enlarges lies half a pixel aside.
 */
export async function formatRows(bench: Bench, name: string): Promise<Row[]> {
  const format = formats[name]!;
  const folder = join(bench.folder, name.replace(' ', '-'));
  const files = await makeSquares(folder, format);
  const size = Math.min(side, format.side);
  const sides: Side[] = [];
  try {
    const ours = await started(sides, ourSide('loading/our-loader'));
    const peers = [await torchvision(sides, size), await bareSharp(sides, { size, from: format.side })];
    await ours.side.ask({ open: { folder, setting: { from: 'files', views: true, size } } });
    const means = await differences(bench, { folder, files, size, peers });
    const best: Record<string, Setting> = {};
    for (const { name, side, settings } of peers) {
      const open = (setting: Setting) => side.ask({ open: { folder, files, setting } });
      best[name] = await bestSetting(settings, async (setting) => {
        await open(setting);
        return turnOf(side, { skip: skip.trial, batches: Math.ceil(format.batches / 2) })();
      });
      await open(best[name]);
    }
    const turns = [{ name: 'ours', side: ours.side }, ...peers].map(({ name, side }) => [
      name,
      turnOf(side, { skip: skip.turn, batches: format.batches }),
    ]);
    const times = await takeTurns(Object.fromEntries(turns), { rounds, deadline: performance.now() + patienceMs });
    return peers.map(({ name: peer, how }) => {
      const pixels = `ours ${means.ours!.toFixed(2)} of 255 from Pillow, theirs ${means[how]!.toFixed(2)}`;
      const setting = describeSetting(visible(best[peer]!));
      return rowOf(
        `${name} to ${size} against ${peer}`,
        { ours: times.ours!, theirs: times[peer]! },
        `${setting}; ${pixels}`,
      );
    });
  } finally {
    for (const each of sides) each.close();
  }
}

type Times = Readonly<Record<'ours' | 'theirs', readonly number[]>>;

function rowOf(what: string, { ours, theirs }: Times, more: string): Row {
  const compared = compareRounds(ours, theirs);
  const [least, most] = compared.spread.map((ratio) => ratio.toFixed(2));
  return {
    what,
    kind: 'formats',
    ours: 1000 / compared.ours,
    theirs: 1000 / compared.theirs,
    unit: 'images/s',
    ratio: compared.ratio,
    more: `${least} to ${most} in ${ours.length} rounds; ${more}`,
  };
}

/** What a setting says of how it is done; sizes are the files'. */
function visible({ size, from, ...setting }: Setting): Setting {
  return setting;
}

function turnOf(side: Side, turn: { readonly skip: number; readonly batches: number }): () => Promise<number> {
  return async () => {
    const { ms, images }: Answer = await side.ask({ turn });
    return Number(ms) / Number(images);
  };
}

async function started(sides: Side[], command: Parameters<typeof Side.start>[0]) {
  const found = await Side.start(command);
  sides.push(found.side);
  return found;
}

async function torchvision(sides: Side[], size: number): Promise<Peer> {
  const found = pythonOf('torch');
  if ('missing' in found) throw new Error(found.missing);
  const script = fileURLToPath(new URL('../peers/loading/streams/torchvision_stream.py', import.meta.url));
  const environment = { HOW: 'decode_image + v2', SIDE: String(size) };
  const { side, hello } = await started(sides, { command: found.python, args: ['-B', script], environment });
  const [name] = String(hello.version).split(',');
  return { name: `${name}, decode_image + v2`, how: 'torchvision', side, settings: hello.settings as Setting[] };
}

async function bareSharp(sides: Side[], sizes: { readonly size: number; readonly from: number }): Promise<Peer> {
  const { side, hello } = await started(sides, ourSide('loading/sharp-loader'));
  const settings = (hello.settings as Setting[]).map((setting) => ({ ...setting, ...sizes }));
  return { name: `bare ${hello.version}`, how: 'sharp', side, settings };
}

interface Compared {
  readonly folder: string;
  readonly files: readonly string[];
  readonly size: number;
  readonly peers: readonly Peer[];
}

/** How far all sides' pixels of the same boxes are from Pillow's. */
async function differences(bench: Bench, { folder, files, size, peers }: Compared) {
  const pictures = (await croppedPictures(folder, size)).slice(0, 64);
  const items = pictures.map(({ key, picture }): [string, ...Cut] => [join(folder, key), ...cutOf(picture)]);
  const ours = join(bench.folder, 'ours.rgb');
  await renderFile(pictures, ours);
  const means: Record<string, number> = { ours: await differenceOf(items, ours, size) };
  for (const { how, side, settings } of peers) {
    const out = join(bench.folder, `${how}.rgb`);
    await side.ask({ open: { folder, files, setting: settings[0] } });
    await side.ask({ pixels: { items, out } });
    means[how] = await differenceOf(items, out, size);
  }
  return meansOf({ means });
}
