import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import t from 'tap';
import { imageAddon, isAbsent } from '../../../src/native.ts';
import { earlierEncoder, encoderNamed, encoderOf, isGrey, sharpEncoder } from '../../../src/vision/encode/encoder.ts';
import { chromas, type Encoding } from '../../../src/vision/encode/encoding.ts';
import { openPicture } from '../../../src/vision/open.ts';
import { type Picture, rawPicture } from '../../../src/vision/picture.ts';
import { gradient } from '../../kit/pictures/pictures.ts';

const skip = isAbsent(imageAddon()) ? 'native/image is not built' : false;

/** Pixels that no encoder finds easy. */
function uneven(width: number, height: number, channels: 1 | 3): Picture {
  const data = Uint8Array.from({ length: width * height * channels }, (_, i) => (i * 37 + (i >> 3) * 11) & 255);
  return rawPicture({ data, width, height, channels });
}

async function decoded(file: Uint8Array) {
  const { data, info } = await sharp(file).raw().toBuffer({ resolveWithObject: true });
  const { components, chroma } = (await sharp(file).metadata()) as { components?: number; chroma?: string };
  return { data, width: info.width, height: info.height, components, chroma };
}

async function psnr(file: Uint8Array, picture: Picture): Promise<number> {
  const [{ data }, { data: truth }] = [await decoded(file), await picture.pixels()];
  const squares = data.reduce((sum, value, i) => sum + (value - truth[i]!) ** 2, 0);
  return 10 * Math.log10(255 ** 2 / (squares / data.length));
}

t.test('sizes from 1 × 1, odd ones too: sharp reads back what its own file has', { skip }, (t) =>
  fc
    .assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom(1, 3),
        fc.integer({ min: 1, max: 100 }),
        fc.constantFrom(...chromas),
        fc.boolean(),
        async (width, height, channels, quality, chroma, optimize) => {
          const picture = uneven(width, height, channels as 1 | 3);
          const encoding: Encoding = { format: 'jpeg', quality, chroma, optimize };
          const own = await decoded(await encoderOf('jpeg').encode(picture, encoding));
          const theirs = await decoded(await sharpEncoder.encode(picture, encoding));
          if (own.width !== width || own.height !== height) throw new Error(`${own.width}×${own.height}`);
          // Of a grey file sharp says 1, or nothing in older versions.
          if (channels === 1 && own.components !== theirs.components) throw new Error(`${own.components} components`);
          if (!own.data.equals(theirs.data)) throw new Error('other pixels');
        },
      ),
      { numRuns: 60 },
    )
    .then(() => t.end()),
);

t.test(
  "a PNG keeps every pixel, of every size, and photographs take no more room than sharp's",
  { skip },
  async (t) => {
    const encoding: Encoding = { format: 'png', quality: 90 };
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom(1, 3),
        async (width, height, channels) => {
          const picture = uneven(width, height, channels as 1 | 3);
          const file = await encoderOf('png').encode(picture, encoding);
          const { channels: kept, isProgressive } = await sharp(file).metadata();
          if (kept !== channels || isProgressive) throw new Error(`${kept} channels`);
          const { data } = await sharp(file).toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
          const expected =
            channels === 1 && data.length === width * height
              ? (picture.origin as { data: Uint8Array }).data
              : (await picture.pixels()).data;
          if (!data.equals(expected)) throw new Error('other pixels');
        },
      ),
      { numRuns: 40 },
    );
    const photo = (await openPicture(readFileSync('fixtures/photos/ajanta-cave.jpg'))).resize({
      width: 128,
      height: 128,
    });
    const [own, theirs] = [await encoderOf('png').encode(photo, encoding), await sharpEncoder.encode(photo, encoding)];
    t.ok(own.length <= theirs.length, `${own.length} bytes, sharp ${theirs.length}`);
    t.same((await decoded(own)).data, Buffer.from((await photo.pixels()).data));
  },
);

t.test('photographs: within 0.1 dB of sharp in as many bytes, with what stages do to them', { skip }, async (t) => {
  for (const name of ['alpaca.jpg', 'ajanta-cave.jpg']) {
    const photo = await openPicture(readFileSync(join('fixtures/photos', name)));
    for (const picture of [photo, photo.resize({ width: 96, height: 64 }).flip()]) {
      for (const chroma of chromas) {
        const encoding: Encoding = { format: 'jpeg', quality: 90, chroma };
        const [own, theirs] = [
          await encoderOf('jpeg').encode(picture, encoding),
          await sharpEncoder.encode(picture, encoding),
        ];
        t.ok(own.length <= theirs.length * 1.01, `${name}: ${own.length} bytes, sharp ${theirs.length}`);
        t.ok((await psnr(own, picture)) > (await psnr(theirs, picture)) - 0.1, `${name} ${chroma}`);
        t.equal((await sharp(own).metadata()).chromaSubsampling, chroma);
        t.equal((await sharp(own).metadata()).isProgressive, false);
      }
    }
  }
});

t.test("without `optimize` a JPEG has the standard's tables, and the same pixels in more bytes", async (t) => {
  const photo = await openPicture(readFileSync('fixtures/photos/alpaca.jpg'));
  // Of more pixels than native/image makes tables for by itself, too.
  for (const size of [
    { width: 256, height: 256 },
    { width: 1600, height: 1400 },
  ]) {
    const picture = photo.resize(size);
    for (const encoder of [encoderOf('jpeg'), sharpEncoder]) {
      const of = (optimize: boolean | undefined) => encoder.encode(picture, { format: 'jpeg', quality: 90, optimize });
      const [own, standard] = [await of(undefined), await of(false)];
      t.same(await of(true), own);
      const name = `${encoder.name}, ${size.width} px`;
      t.ok(standard.length > own.length * 1.005, `${name}: ${standard.length} bytes for ${own.length}`);
      t.same((await decoded(standard)).data, (await decoded(own)).data, name);
      t.ok(Buffer.from(standard).includes(standardLuma), name);
      t.notOk(Buffer.from(own).includes(standardLuma), name);
    }
  }
});

/** ITU-T T.81, table K.3: how many codes of each length there are for the DC coefficients of brightness, and their symbols. */
const standardLuma = Buffer.from([
  0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
]);

t.test('a picture without colours becomes a grey file, by every encoder', async (t) => {
  const grey = uneven(9, 7, 1);
  const channels = async (file: Uint8Array) => (await sharp(file).metadata()).channels;
  for (const format of ['jpeg', 'png'] as const) {
    for (const encoder of [encoderOf(format), sharpEncoder]) {
      t.equal(
        await channels(await encoder.encode(grey.flip(), { format, quality: 90 })),
        1,
        `${format}, ${encoder.name}`,
      );
    }
  }
  const file = await encoderOf('jpeg').encode(grey, { format: 'jpeg', quality: 90 });
  const again = await openPicture(file);
  t.ok(isGrey(again), 'a grey JPEG is known by its header');
  t.equal(await channels(await encoderOf('jpeg').encode(again, { format: 'jpeg', quality: 90 })), 1);
  const png = await sharpEncoder.encode(grey, { format: 'png', quality: 90 });
  t.ok(isGrey(await openPicture(png)), 'and a grey PNG');
  const raw = { width: 2, height: 2, channels: 4 } as const;
  const clear = await sharp(Buffer.alloc(16, 90), { raw }).toColourspace('b-w').png().toBuffer();
  t.equal((await sharp(clear).metadata()).channels, 2, 'grey and alpha');
  t.ok(isGrey(await openPicture(clear, { background: [7, 7, 7] })));
  t.notOk(isGrey(await openPicture(clear, { background: [255, 0, 0] })), 'what it is laid on may have a colour');
  const page = { width: 20, height: 20, fit: 'contain' } as const;
  t.ok(isGrey(grey.resize({ ...page, background: [7, 7, 7] })));
  t.notOk(isGrey(grey.resize({ ...page, background: [255, 0, 0] })), 'a border may have a colour');
  t.notOk(isGrey(uneven(9, 7, 3)));
  t.equal(await channels(await earlierEncoder.encode(grey, { format: 'png', quality: 90 })), 3);
});

t.test('what the addon does not render is rendered by sharp, and encoded all the same', { skip }, async (t) => {
  const { data, width, height } = gradient(30, 20);
  const png = await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  const encoding: Encoding = { format: 'jpeg', quality: 90 };
  const file = await encoderOf('jpeg').encode(await openPicture(png), encoding);
  t.same(file, await encoderOf('jpeg').encode(rawPicture({ data, width, height, channels: 3 }), encoding));
});

t.test('a damaged file fails as when it is rendered', async (t) => {
  const photo = readFileSync('fixtures/photos/alpaca.jpg');
  const cut = await openPicture(photo.subarray(0, photo.length >> 1));
  for (const encoder of [encoderOf('jpeg'), sharpEncoder])
    await t.rejects(encoder.encode(cut, { format: 'jpeg', quality: 90 }), { code: 'PICTURE_BROKEN' });
});

t.test('an encoder is found again by its name', (t) => {
  for (const format of ['jpeg', 'png', 'webp'] as const) {
    for (const { name } of [encoderOf(format), sharpEncoder, earlierEncoder])
      t.equal(encoderNamed(name, format)?.name, name);
  }
  t.equal(encoderNamed(undefined, 'jpeg'), earlierEncoder);
  t.equal(encoderNamed('libjpeg-turbo 0.0.1', 'jpeg'), undefined);
  t.equal(encoderNamed('libdeflate 0.1', 'png'), undefined);
  t.equal(encoderOf('webp'), sharpEncoder);
  t.end();
});

t.test(
  'a file is written where it is made: the same bytes, never over another, and handed over where it cannot be',
  { skip },
  async (t) => {
    const folder = t.testdir({ there: 'somebody else’s' });
    const picture = uneven(30, 20, 3);
    for (const format of ['jpeg', 'png'] as const) {
      const encoder = encoderOf(format);
      if (encoder.encodeTo === undefined) continue;
      const encoding = { format, quality: 90 };
      const bytes = await encoder.encode(picture, encoding);
      const path = join(folder, `new.${format}`);
      t.type(await encoder.encodeTo(picture, encoding, path), 'number');
      t.ok(readFileSync(path).equals(bytes), format);
      for (const no of [
        join(folder, 'there'),
        join(folder, 'nowhere', 'a'),
        `${folder}/nul\0`,
        `${folder}/${'x'.repeat(5000)}`,
      ])
        t.same(await encoder.encodeTo(picture, encoding, no), bytes);
      const many = await Promise.all(
        Array.from({ length: 40 }, (_, i) =>
          i % 3 === 0
            ? encoder.encode(picture, encoding)
            : encoder.encodeTo!(picture, encoding, join(folder, `${i}.${format}`)),
        ),
      );
      for (const [i, made] of many.entries()) {
        const written = i % 3 === 0 ? made : typeof made === 'number' && readFileSync(join(folder, `${i}.${format}`));
        t.same(written, bytes, `${i}, among others`);
      }
      await t.rejects(
        encoder.encodeTo(await openPicture(damaged(bytes)), { format, quality: 80 }, join(folder, 'no')),
        {
          code: 'PICTURE_BROKEN',
        },
      );
    }
    t.equal(readFileSync(join(folder, 'there'), 'utf8'), 'somebody else’s');
    t.notOk(existsSync(join(folder, 'no')));
  },
);

/** A file whose last third is missing. */
function damaged(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, Math.floor((2 * bytes.length) / 3));
}

t.test(
  'a JPEG is packed as libjpeg packs it, with tables of its own and without: the same bytes, of every size',
  { skip },
  () =>
    fc
      .assert(
        fc.asyncProperty(
          // Wider too than what is made at a time.
          fc.oneof(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 71, max: 600 })),
          fc.integer({ min: 1, max: 70 }),
          fc.constantFrom(1, 3),
          fc.integer({ min: 1, max: 100 }),
          fc.constantFrom(...chromas),
          fc.constantFrom<(i: number) => number>(
            (i) => (i * 2654435761) >>> 13,
            (i) => i * 37 + (i >> 3) * 11,
            (i) => i >> 2,
            () => 128,
            (i) => (i % 53 === 0 ? i : 0),
          ),
          fc.boolean(),
          async (width, height, channels, quality, chroma, value, optimize) => {
            const data = Uint8Array.from({ length: width * height * channels }, (_, i) => value(i) & 255);
            const picture = rawPicture({ data, width, height, channels: channels as 1 | 3 });
            const encoding: Encoding = { format: 'jpeg', quality, chroma, optimize };
            const own = await encoderOf('jpeg').encode(picture, encoding);
            setPortable(1);
            const libjpegs = await encoderOf('jpeg').encode(picture, encoding);
            setPortable(0);
            if (!Buffer.from(own).equals(libjpegs)) throw new Error(`${own.length} bytes, not ${libjpegs.length}`);
          },
        ),
        { numRuns: 200, seed: 18 },
      )
      .finally(() => setPortable(0)),
);

function setPortable(on: number): void {
  const addon = imageAddon();
  if (!isAbsent(addon)) addon.setPortable(on);
}
