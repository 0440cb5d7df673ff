import { deflateSync } from 'node:zlib';
import t from 'tap';
import { imageAddon, isAbsent } from '../../../src/native.ts';
import { Random } from '../../../src/random.ts';
import { openPicture } from '../../../src/vision/open.ts';
import type { Colour } from '../../../src/vision/picture.ts';
import { renderGrey, renderPixels } from '../../../src/vision/render/render.ts';
import {
  type PngKind,
  pngChunk,
  pngColours,
  pngHead,
  pngKinds,
  pngOf,
  pngPixels,
  pngRows,
  pngSamples,
  pngSignature,
  resum,
  type Samples,
} from '../../kit/pictures/png.ts';
import { byLibraries, bySharp, natively } from '../../kit/pictures/renderers.ts';

const addon = imageAddon();
const skip = isAbsent(addon) ? addon.found : addon.info().png === '' && 'native/image is built without libpng';

const background: Colour = [200, 30, 90];
const random = new Random(7, 'png', 'kinds');
const open = (bytes: Uint8Array) => openPicture(bytes, { background });

const nameOf = ({ type, depth, interlaced, transparent }: PngKind) =>
  `type ${type}, ${depth} bits${interlaced ? ', interlaced' : ''}${transparent ? ', tRNS' : ''}`;

t.test(
  'PNGs of every kind are what the standard says and what sharp makes of them, to the last bit',
  { skip },
  async (t) => {
    for (const [width, height] of [
      [23, 17],
      [1, 1],
      [5, 2],
    ] as const) {
      for (const kind of pngKinds(width, height, random)) {
        const samples = pngSamples(kind, random);
        const picture = await open(pngOf(kind, samples, 50));
        const found = (await natively(picture)).data;
        t.ok(Buffer.from(found).equals(pngPixels(kind, samples, background)), `${width} × ${height}, ${nameOf(kind)}`);
        if (width === 23) t.ok(Buffer.from(found).equals((await bySharp(picture)).data), `sharp, ${nameOf(kind)}`);
      }
    }
  },
);

t.test('crops of PNGs are the same pixels by both renderers, luma and turned ones included', { skip }, async (t) => {
  let wrong = 0;
  for (const kind of pngKinds(40, 31, random)) {
    const samples = pngSamples(kind, random);
    const orientation = 1 + random.integer(8);
    const exif = Buffer.from(
      `49492a000800000001001201030001000000${orientation.toString(16).padStart(2, '0')}00000000000000`,
      'hex',
    );
    const bytes = pngOf(kind, samples);
    const turned = Buffer.concat([bytes.subarray(0, 33), pngChunk('eXIf', exif), bytes.subarray(33)]);
    const whole = await open(turned);
    t.same([whole.width, whole.height], orientation > 4 ? [31, 40] : [40, 31]);
    for (let i = 0; i < 12; i++) {
      const [width, height] = [1 + random.integer(whole.width), 1 + random.integer(whole.height)];
      const box = {
        left: random.integer(whole.width - width + 1),
        top: random.integer(whole.height - height + 1),
        width,
        height,
      };
      const picture = whole.crop(box);
      if (!Buffer.from((await natively(picture)).data).equals((await bySharp(picture)).data)) wrong++;
    }
    const { data } = await renderPixels(whole);
    const grey = await renderGrey(whole);
    if (
      !grey.every(
        (value, i) =>
          value === (19595 * data[3 * i]! + 38470 * data[3 * i + 1]! + 7471 * data[3 * i + 2]! + 32768) >> 16,
      )
    )
      wrong++;
  }
  t.equal(wrong, 0);
});

const kind = { width: 16, height: 16, type: 2, depth: 8 } as const;
const samples: Samples = (x, y, channel) => (x * 7 + y * 31 + channel * 90) & 255;
const packed = deflateSync(pngRows(kind, samples));
const end = pngChunk('IEND', []);
const file = (...chunks: Uint8Array[]) => Buffer.concat([pngSignature, pngHead(kind), ...chunks]);
const pixels = pngChunk('IDAT', packed);
const turned = (chunk: Buffer, at: number) => chunk.map((value, i) => (i === at ? value ^ 1 : value));

async function outcome(render: () => Promise<unknown>): Promise<string> {
  try {
    await render();
    return 'pixels';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

/** What both renderers make of a file, or of its upper rows. */
async function both(bytes: Uint8Array, height = 16): Promise<string> {
  const opened = await open(bytes).catch((error: { code: string }) => error.code);
  if (typeof opened === 'string') return opened;
  const picture = height === 16 ? opened : opened.crop({ left: 0, top: 0, width: 16, height });
  const [native, other] = [await outcome(() => natively(picture)), await outcome(() => bySharp(picture))];
  return native === other ? native : `${native}, sharp: ${other}`;
}

t.test(
  'damage in a PNG is judged alike by both renderers: what changes pixels fails, what does not passes',
  { skip },
  async (t) => {
    const [first, second] = [pngChunk('IDAT', packed.subarray(0, 40)), pngChunk('IDAT', packed.subarray(40))];
    const sound = {
      whole: file(pixels, end),
      'a missing end': file(pixels),
      'bytes behind the end': file(pixels, end, Buffer.from('more')),
      'bytes behind the packed rows': file(pngChunk('IDAT', Buffer.concat([packed, Buffer.from('more')])), end),
      'a wrong sum of a text': file(turned(pngChunk('tEXt', Buffer.from('a\0b')), 12), pixels, end),
      gAMA: file(pngChunk('gAMA', [0, 1, 0x86, 0xa0]), pixels, end),
      'chunks that nobody knows': file(pngChunk('abCD', [1, 2]), pixels, end),
      'two chunks of pixels': file(first, second, end),
    };
    for (const [name, bytes] of Object.entries(sound)) {
      t.equal(await both(bytes), 'pixels', name);
      t.same((await natively(await open(bytes))).data, pngPixels(kind, samples, background), name);
    }
    const broken = {
      'cut in its rows': file(pixels.subarray(0, 60)),
      'cut in the sum of its rows': file(pixels.subarray(0, -6)),
      'cut in the sum of its last chunk': file(pixels.subarray(0, -2)),
      'a wrong sum of pixels': file(turned(pixels, pixels.length - 1), end),
      'a wrong sum of the first of two': file(turned(first, first.length - 1), second, end),
      'a bit of the packed rows': file(turned(pixels, 30), end),
      'a wrong sum of the rows': file(pngChunk('IDAT', turned(packed, packed.length - 1)), end),
      'a row too few': file(pngChunk('IDAT', deflateSync(pngRows(kind, samples).subarray(0, -49))), end),
      'a filter that is none': file(
        pngChunk('IDAT', deflateSync(turned(pngRows(kind, samples), 49).fill(9, 49, 50))),
        end,
      ),
      'another chunk between the pixels': file(first, pngChunk('tEXt', Buffer.from('a\0b')), second, end),
      'a critical chunk that nobody knows': file(pngChunk('ABCD', [1, 2]), pixels, end),
      'a wrong sum of tRNS': file(turned(pngChunk('tRNS', [0, 0, 0, 90, 0, 180]), 16), pixels, end),
    };
    for (const [name, bytes] of Object.entries(broken)) t.equal(await both(bytes), 'PICTURE_BROKEN', name);
  },
);

t.test('rows of a PNG below those that are wanted are not read: damage there is not judged', { skip }, async (t) => {
  const tall = { ...kind, height: 1000 };
  const data = deflateSync(pngRows(tall, samples), { level: 0 });
  const cut = Buffer.concat([
    pngSignature,
    pngHead(tall),
    pngColours(tall),
    pngChunk('IDAT', data).subarray(0, 30_000),
  ]);
  const picture = await open(cut);
  t.equal(await outcome(() => natively(picture)), 'PICTURE_BROKEN');
  const upper = picture.crop({ left: 3, top: 20, width: 10, height: 30 });
  const expected = pngPixels({ ...tall, height: 50 }, samples, background);
  const found = (await natively(upper)).data;
  t.ok(found.every((value, i) => value === expected[((20 + Math.floor(i / 30)) * 16 + 3) * 3 + (i % 30)]));
});

const plainKinds = ([0, 2, 4, 6] as const).map((type) => ({ width: 180, height: 400, type, depth: 8 }) as const);

t.test('large PNGs without a palette: the same pixels without libpng, whole and cut', { skip }, async (t) => {
  for (const kind of plainKinds) {
    const samples = pngSamples(kind, random);
    for (const most of [700, 2 ** 20]) {
      const whole = await open(pngOf(kind, samples, most));
      const box = { left: 1 + random.integer(90), top: random.integer(300), width: 60, height: 100 };
      for (const picture of [whole, whole.crop(box), whole.crop({ ...box, top: 300 })]) {
        const found = (await natively(picture)).data;
        t.ok(Buffer.from(found).equals((await byLibraries(() => natively(picture))).data), `${nameOf(kind)}, ${most}`);
        if (picture === whole) t.ok(Buffer.from(found).equals(pngPixels(kind, samples, background)));
      }
    }
  }
});

t.test('damage is judged alike with and without libpng, in words too', { skip }, async (t) => {
  const counts = { pixels: 0, broken: 0 };
  const files = plainKinds.map((kind) => pngOf({ ...kind, height: 40 }, pngSamples(kind, random), 3000));
  for (let i = 0; i < 400; i++) {
    const bytes = Buffer.from(files[i % files.length]!);
    for (let times = 1 + random.integer(2); times > 0; times--)
      bytes[41 + random.integer(bytes.length - 41)]! ^= 1 << random.integer(8);
    const cut = random.integer(3) > 0 ? bytes : bytes.subarray(0, 60 + random.integer(bytes.length - 60));
    const whole = await open(i % 2 === 0 ? cut : resum(cut));
    const picture =
      random.integer(2) > 0 ? whole : whole.crop({ left: 3, top: 2, width: 9, height: 1 + random.integer(30) });
    const result = () => natively(picture).then(({ data }) => Buffer.from(data).toString('latin1'), String);
    const [found, expected] = [await result(), await byLibraries(result)];
    if (found !== expected) t.equal(found, expected, `file ${i}`);
    counts[found.startsWith('PatchstreamError') ? 'broken' : 'pixels']++;
  }
  t.ok(counts.pixels > 40 && counts.broken > 150, `${counts.pixels} rendered, ${counts.broken} refused`);
});

t.test('a PNG whose header announces more than it may is refused, and nothing is decoded', async (t) => {
  const huge = { ...kind, width: 2 ** 31 - 1, height: 2 ** 31 - 1 };
  const bytes = Buffer.concat([pngSignature, pngHead(huge), pixels, end]);
  await t.rejects(open(bytes), { code: 'PICTURE_LIMIT', message: /2147483647/ });
  await t.rejects(openPicture(file(pixels, end), { maxPixels: 255 }), { code: 'PICTURE_LIMIT' });
  // A header that fits the limit, and no pixels behind it.
  const large = Buffer.concat([pngSignature, pngHead({ ...kind, width: 60_000, height: 2000 }), pixels, end]);
  const crop = (await open(large)).crop({ left: 0, top: 0, width: 8, height: 20 });
  await t.rejects(renderPixels(crop), { code: 'PICTURE_BROKEN' });
});
