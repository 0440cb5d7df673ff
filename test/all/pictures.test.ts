import sharp from 'sharp';
import t from 'tap';
import { PatchstreamError } from '../../src/errors.ts';
import { Random } from '../../src/random.ts';
import { openPicture } from '../../src/vision/open.ts';
import { renderPixels } from '../../src/vision/render/render.ts';
import { noisy } from '../kit/pictures/pictures.ts';
import { pngKinds, pngOf, pngSamples, resum } from '../kit/pictures/png.ts';
import { bySharp, natively } from '../kit/pictures/renderers.ts';
import { growth, residentMiB } from '../kit/runs/memory.ts';

const random = new Random(11, 'mutations', 'pictures');

/** Turns bits, writes bytes, cuts, repeats and leaves out. */
function mutated(bytes: Buffer): Buffer {
  let made = Buffer.from(bytes);
  for (let times = 1 + random.integer(4); times > 0 && made.length > 1; times--) {
    const at = random.integer(random.integer(2) > 0 ? made.length : Math.min(made.length, 60));
    const end = Math.min(made.length, at + 1 + random.integer(40));
    const kind = random.integer(12);
    if (kind < 5) made[at]! ^= 1 << random.integer(8);
    else if (kind < 8) made[at] = [0, 255, 127, 128, 1][random.integer(5)]!;
    else if (kind === 8) made = made.subarray(0, at);
    else if (kind === 9) made = Buffer.concat([made.subarray(0, at), made.subarray(end)]);
    else if (kind === 10) made = Buffer.concat([made.subarray(0, end), made.subarray(at)]);
    else made.fill(random.integer(256), at, end);
  }
  return made;
}

async function outcomeOf(bytes: Buffer): Promise<'pixels' | 'refused' | string> {
  try {
    const picture = await openPicture(bytes, { maxPixels: 2 ** 22 });
    const height = Math.ceil(picture.height / (1 + random.integer(3)));
    await renderPixels(
      picture.crop({ left: 0, top: 0, width: picture.width, height }).resize({ width: 20, height: 20 }),
    );
    return 'pixels';
  } catch (error) {
    return error instanceof PatchstreamError && error.code.startsWith('PICTURE_') ? 'refused' : String(error);
  }
}

async function tryAll(files: readonly Buffer[], change: (bytes: Buffer) => Buffer, count: number) {
  const counts = { pixels: 0, refused: 0 };
  const strange: string[] = [];
  const readings: number[] = [];
  for (let done = 0; done < count; done += 50) {
    if (done % 1000 === 0) readings.push(residentMiB());
    const batch = Array.from({ length: 50 }, (_, i) => outcomeOf(change(files[(done + i) % files.length]!)));
    for (const outcome of await Promise.all(batch)) {
      if (outcome === 'pixels' || outcome === 'refused') counts[outcome]++;
      else strange.push(outcome);
    }
  }
  readings.push(residentMiB());
  return { ...counts, strange, grown: growth(readings) };
}

t.test('10,000 mutated PNGs: pixels or an error of the catalogue, bounded memory', async (t) => {
  const files = Array.from(pngKinds(37, 29, random), (kind) => pngOf(kind, pngSamples(kind, random), 300));
  const change = (bytes: Buffer) => (random.integer(4) > 0 ? resum(mutated(bytes)) : mutated(bytes));
  const { pixels, refused, strange, grown } = await tryAll(files, change, 10_000);
  t.same(strange, []);
  t.comment(`${pixels} rendered, ${refused} refused, ${Math.round(grown)} MiB more`);
  t.ok(pixels > 500 && refused > 2000 && grown < 100);
});

t.test('10,000 mutated WebPs: pixels or an error of the catalogue, bounded memory', async (t) => {
  const source = sharp(noisy(37, 29).data, { raw: { width: 37, height: 29, channels: 3 } });
  const clear = source.clone().ensureAlpha(0.4);
  const made = [
    source.clone().webp(),
    source.clone().webp({ lossless: true }),
    source.clone().withMetadata({ orientation: 6 }).webp(),
    clear.clone().webp(),
    clear.clone().webp({ lossless: true }),
  ];
  const files = await Promise.all(made.map((pipeline) => pipeline.toBuffer()));
  const { pixels, refused, strange, grown } = await tryAll(files, mutated, 10_000);
  t.same(strange, []);
  t.comment(`${pixels} rendered, ${refused} refused, ${Math.round(grown)} MiB more`);
  t.ok(pixels > 500 && refused > 2000 && grown < 100);
});

t.test(
  '3,000 random crops of PNGs and WebPs: the same pixels by both renderers, of lossy WebPs within 1 of 255',
  async (t) => {
    const photo = sharp('fixtures/photos/ajanta-cave.jpg').resize(190, 143);
    const files: { readonly bytes: Buffer; readonly most: number }[] = Array.from(pngKinds(61, 47, random), (kind) => ({
      bytes: pngOf(kind, pngSamples(kind, random)),
      most: 0,
    }));
    files.push({ bytes: await photo.clone().png({ progressive: true }).toBuffer(), most: 0 });
    files.push({ bytes: await photo.clone().ensureAlpha(0.6).png().toBuffer(), most: 0 });
    files.push({ bytes: await photo.clone().webp({ lossless: true }).toBuffer(), most: 0 });
    for (const quality of [20, 60, 95])
      files.push({ bytes: await photo.clone().webp({ quality }).toBuffer(), most: 1 });
    const wrong: string[] = [];
    for (let i = 0; i < 3000; i++) {
      const { bytes, most } = files[i % files.length]!;
      const whole = await openPicture(bytes);
      const [width, height] = [1 + random.integer(whole.width), 1 + random.integer(whole.height)];
      const [left, top] = [random.integer(whole.width - width + 1), random.integer(whole.height - height + 1)];
      const crop = whole.crop({ left, top, width, height });
      const [ours, theirs] = [(await natively(crop)).data, (await bySharp(crop)).data];
      const difference = ours.reduce((largest, value, at) => Math.max(largest, Math.abs(value - theirs[at]!)), 0);
      if (difference > most)
        wrong.push(`file ${i % files.length}, ${width} × ${height} at ${left}, ${top}: ${difference}`);
    }
    t.same(wrong, []);
  },
);
