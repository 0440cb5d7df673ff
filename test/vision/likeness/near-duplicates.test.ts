import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import t from 'tap';
import { quarters } from '../../../src/vision/likeness/cosine-transform.ts';
import { NearDuplicates } from '../../../src/vision/likeness/near-duplicates.ts';
import { openPicture } from '../../../src/vision/open.ts';
import { Picture, rawPicture } from '../../../src/vision/picture.ts';
import { renderGrey } from '../../../src/vision/render/render.ts';

const folder = fileURLToPath(new URL('../../../fixtures/photos', import.meta.url));
const photos = readdirSync(folder)
  .filter((name) => name.endsWith('.jpg'))
  .sort()
  .slice(0, 60)
  .map((name) => readFileSync(join(folder, name)));

const bounds = { within: 56, above: 0.97 };

async function thumbnailOf(from: Uint8Array | Picture): Promise<Uint8Array> {
  const picture = from instanceof Picture ? from : await openPicture(from);
  return renderGrey(picture.resize({ width: 32, height: 32, fit: 'fill', kernel: 'bilinear' }));
}

/** What each photo of `some` becomes is looked for among all photos. */
async function findsOf(some: readonly Buffer[], change: (photo: Buffer) => Promise<Uint8Array | Picture>) {
  const finder = new NearDuplicates(bounds);
  for (const photo of photos) finder.add(await thumbnailOf(photo));
  const found = [];
  for (const photo of some) found.push(finder.add(await thumbnailOf(await change(photo))));
  return { found, own: found.filter((all, i) => all.some(({ other }) => other === i)).length };
}

const some = photos.slice(0, 12);

t.test('no two photographs of the fixtures are near-duplicates', async (t) => {
  const finder = new NearDuplicates({ within: 72, above: 0.9 });
  for (const photo of photos) t.same(finder.add(await thumbnailOf(photo)), []);
  t.equal(finder.count, photos.length);
});

t.test('a smaller, a brighter and a compressed copy are found, as a whole', async (t) => {
  const changes = [
    (photo: Buffer) => sharp(photo).resize(90).jpeg().toBuffer(),
    (photo: Buffer) => sharp(photo).jpeg({ quality: 40 }).toBuffer(),
    (photo: Buffer) => sharp(photo).linear(0.7, 0).jpeg().toBuffer(),
  ];
  for (const change of changes) {
    const { own, found } = await findsOf(some, change);
    t.equal(own, some.length);
    t.ok(found.flat().every(({ mirrored, likeness }) => !mirrored && likeness > 0.9));
  }
});

t.test('mirror images are found and said to be mirrored', async (t) => {
  const { own, found } = await findsOf(some, async (photo) => (await openPicture(photo)).flip());
  t.equal(own, some.length);
  t.ok(found.flat().every(({ mirrored, bits }) => mirrored && bits < 16));
});

t.test('crops are found, and where they lie', async (t) => {
  const crop = async (photo: Buffer) => {
    const picture = await openPicture(photo);
    const [width, height] = [Math.round(picture.width * 0.8), Math.round(picture.height * 0.8)];
    return picture.crop({ left: picture.width - width, top: 0, width, height });
  };
  const { own, found } = await findsOf(some, crop);
  t.equal(own, some.length);
  const expected = { left: 0.2 * quarters, right: quarters, top: 0, bottom: 0.8 * quarters };
  for (const [i, all] of found.entries()) {
    const { crop } = all.find(({ other }) => other === i)!;
    t.equal(crop?.of, 'other');
    for (const edge of ['left', 'right', 'top', 'bottom'] as const)
      t.ok(Math.abs(crop!.part[edge] - expected[edge]) <= 8);
  }
});

t.test('a strip of the full height is found, also where the whole comes later', async (t) => {
  const finder = new NearDuplicates(bounds);
  const strip = async (photo: Buffer) => {
    const picture = await openPicture(photo);
    const width = Math.round(picture.width * 0.75);
    return picture.crop({ left: Math.round(picture.width * 0.1), top: 0, width, height: picture.height });
  };
  for (const photo of some) finder.add(await thumbnailOf(await strip(photo)));
  for (const [i, photo] of some.entries()) {
    const found = finder.add(await thumbnailOf(photo));
    t.ok(found.some(({ other, crop }) => other === i && crop?.of === 'this'));
  }
});

t.test('pictures without content are like those of the same colour alone', async (t) => {
  const finder = new NearDuplicates(bounds);
  const plain = (value: number) =>
    thumbnailOf(rawPicture({ data: new Uint8Array(48 * 48).fill(value), width: 48, height: 48, channels: 1 }));
  for (const photo of some) finder.add(await thumbnailOf(photo));
  t.same(finder.add(await plain(200)), []);
  t.same(finder.add(await plain(100)), []);
  t.same(finder.add(await plain(201)), [{ other: some.length, likeness: 1, bits: 0, mirrored: false }]);
  t.same(finder.add(await thumbnailOf(photos[20]!)), []);
});

t.test('what was kept without being compared is found as what was', async (t) => {
  const [added, kept] = [new NearDuplicates(bounds), new NearDuplicates(bounds)];
  for (const photo of some) {
    const thumbnail = await thumbnailOf(photo);
    added.add(thumbnail);
    kept.keep(thumbnail);
  }
  for (const photo of some.slice(0, 4)) {
    const copy = await thumbnailOf(await sharp(photo).resize(70).toBuffer());
    t.same(kept.add(copy), added.add(copy));
  }
});
