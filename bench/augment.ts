/**
 * Do effects on whole photographs give what Pillow gives? Photographs of `fixtures/photos`, brought to 224 px by us, go through every case of bench/parity/augment.py: the
 * operations of timm's RandAugment at several magnitudes and both directions, and torchvision's changes of colour and its blur. The error of a row is the largest difference of
 * any value, of 255. An argument is the number of photographs: `npm run bench -- augment 12`.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { operations } from '../src/stages/augment/operations.ts';
import type { Effect } from '../src/vision/geometry.ts';
import { openPicture } from '../src/vision/open.ts';
import { type Picture, rawPicture } from '../src/vision/picture.ts';
import { pythonOf } from './peers/installed.ts';

interface Row {
  readonly what: string;
  readonly error: number;
  readonly tolerance: number;
  /** How many of all values differ at all. */
  readonly where: string;
}

/** What augment.py says of itself. */
interface About {
  readonly 'made by': string;
  readonly order: readonly string[];
  readonly cases: readonly (
    | { readonly operation: number; readonly magnitude: number; readonly sign: 1 | -1 }
    | { readonly colour: 'brightness' | 'contrast' | 'saturation' | 'hue'; readonly factor: number }
    | { readonly blur: number }
  )[];
}

const side = 224;
const photos = fileURLToPath(new URL('../fixtures/photos', import.meta.url));
const script = fileURLToPath(new URL('parity/augment.py', import.meta.url));

export async function run([count = '6']: readonly string[] = []): Promise<{ rows: Row[]; notes: string[] }> {
  const found = pythonOf('timm');
  if ('missing' in found) throw new Error(found.missing);
  const folder = mkdtempSync(join(tmpdir(), 'patchstream-augment-'));
  try {
    const pictures = await photographs(Number(count));
    const [read, written] = [join(folder, 'pictures.rgb'), join(folder, 'made.rgb')];
    writeFileSync(read, Buffer.concat(await Promise.all(pictures.map(async (each) => (await each.pixels()).data))));
    const args = ['-B', script, 'whole', `${side}`, `${side}`, read, written];
    const about = JSON.parse(execFileSync(found.python, args, { encoding: 'utf8' })) as About;
    const rows = await compare(pictures, about, readFileSync(written));
    return { rows, notes: [`${pictures.length} photographs of ${side} px, against ${about['made by']}.`] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function photographs(count: number): Promise<Picture[]> {
  const names = readdirSync(photos).filter((name) => name.endsWith('.jpg'));
  const step = Math.max(1, Math.floor(names.length / count));
  const chosen = names.filter((_, i) => i % step === 0).slice(0, count);
  return Promise.all(
    chosen.map(async (name) => {
      const picture = await openPicture(new Uint8Array(readFileSync(join(photos, name))));
      return rawPicture({ ...(await picture.resize({ width: side, height: side }).pixels()), channels: 3 });
    }),
  );
}

/** A row for each operation: the worst of its cases. */
async function compare(pictures: readonly Picture[], { order, cases }: About, theirs: Uint8Array): Promise<Row[]> {
  const found = new Map<string, { most: number; differing: number; values: number }>();
  let at = 0;
  for (const picture of pictures) {
    for (const one of cases) {
      const name = 'operation' in one ? order[one.operation]! : `torchvision's ${'blur' in one ? 'blur' : one.colour}`;
      const sums = found.get(name) ?? { most: 0, differing: 0, values: 0 };
      const { data } = await picture.apply(effectOf(one)).pixels();
      for (const value of data) {
        const apart = Math.abs(value - theirs[at++]!);
        sums.most = Math.max(sums.most, apart);
        if (apart > 0) sums.differing++;
      }
      sums.values += data.length;
      found.set(name, sums);
    }
  }
  return Array.from(found, ([what, { most, differing, values }]) => ({
    what,
    error: most,
    tolerance: 2,
    where: `${((100 * differing) / values).toFixed(2)} % of values differ`,
  }));
}

function effectOf(one: About['cases'][number]): Effect {
  if ('operation' in one) {
    const given = { width: side, height: side, sign: one.sign, background: [124, 116, 104] } as const;
    return operations[one.operation]!.make(one.magnitude / 10, given);
  }
  if ('blur' in one) return { kind: 'blur', sigma: one.blur };
  if (one.colour === 'hue') return { kind: 'hue', shift: Math.trunc(one.factor * 255) & 255 };
  return { kind: one.colour, factor: one.factor };
}
