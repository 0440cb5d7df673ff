import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import t from 'tap';
import { imageAddon, isAbsent } from '../../../src/native.ts';
import { Random } from '../../../src/random.ts';
import { openPicture } from '../../../src/vision/open.ts';
import type { Picture } from '../../../src/vision/picture.ts';
import { renderGrey, renderPixels } from '../../../src/vision/render/render.ts';
import * as kit from '../../kit/pictures/pictures.ts';

const addon = imageAddon();
const skip = isAbsent(addon) ? addon.found : false;
const folder = new URL('../../../fixtures/photos/', import.meta.url);
const photos = readdirSync(folder)
  .filter((name) => name.endsWith('.jpg'))
  .map((name) => readFileSync(new URL(name, folder)));
const restarts = readFileSync(new URL('../../../fixtures/jpeg/restarts.jpg', import.meta.url));

/** Debian's libjpeg-turbo says what its decoder keeps; others may not. */
const served = process.platform === 'linux' ? 'own' : /^(own|libjpeg)$/;

type Outcome = Uint8Array | string;

/** What comes of each, by our decoder of codes and by libjpeg's. */
async function byBoth(pictures: readonly Buffer[], render: (picture: Picture, i: number) => Promise<Uint8Array>) {
  const all = () =>
    Promise.all(
      pictures.map(
        async (bytes, i): Promise<Outcome> =>
          openPicture(bytes)
            .then((picture) => render(picture, i))
            // What libvips says of a header is now and then what it meant to say of another, or nothing where another has taken it.
            .catch(({ message }: Error) => (message.includes('Input buffer has') ? 'libvips' : message)),
      ),
    );
  if (isAbsent(addon)) return { ours: [], libjpegs: [] };
  const ours = await all();
  addon.setPortable(1);
  const libjpegs = await all().finally(() => addon.setPortable(0));
  return { ours, libjpegs };
}

/** Where the data of a file of one scan begin. */
function scanOf(bytes: Buffer): number {
  let at = 2;
  while (bytes[at + 1] !== 0xda) at += 2 + bytes.readUInt16BE(at + 2);
  return at + 2 + bytes.readUInt16BE(at + 2);
}

const whole = async (picture: Picture) => (await renderPixels(picture)).data;
const differing = ({ ours, libjpegs }: { ours: Outcome[]; libjpegs: Outcome[] }) =>
  ours.flatMap((one, i) => (Buffer.compare(Buffer.from(one), Buffer.from(libjpegs[i]!)) === 0 ? [] : [i]));

/** Every sampling, with the codes of the standard and with their own; so fine that values of ten bits and codes of sixteen occur, and so coarse that most blocks are of one colour. */
async function everyCoding(): Promise<Buffer[]> {
  const noise = kit.noisy(161, 123);
  const made = [restarts];
  for (const quality of [5, 30, 75, 92, 100])
    for (const chromaSubsampling of ['4:2:0', '4:4:4'])
      for (const optimiseCoding of [true, false]) {
        const source = sharp(noise.data, { raw: { width: noise.width, height: noise.height, channels: 3 } });
        const options = { quality, chromaSubsampling, optimiseCoding };
        made.push(await source.clone().jpeg(options).toBuffer());
        made.push(await source.clone().threshold(128).jpeg(options).toBuffer());
        made.push(await source.clone().toColourspace('b-w').jpeg(options).toBuffer());
        made.push(await sharp(photos[quality]).jpeg(options).toBuffer());
      }
  return made;
}

t.test('photographs have the same pixels by our decoder of codes and by libjpeg’s', { skip }, async (t) => {
  t.same(differing(await byBoth(photos, whole)), []);
  if (!isAbsent(addon)) t.match(addon.info().codes, served);
});

t.test('every coding, restarts too', { skip }, async (t) => {
  const pictures = await everyCoding();
  const seen = await byBoth(pictures, whole);
  t.same(
    seen.ours.filter((one) => typeof one === 'string'),
    [],
  );
  t.same(differing(seen), []);
});

t.test('parts, shrunk and in grey: rows and columns that are passed over', { skip }, async (t) => {
  const random = new Random(3, 'parts', 'test');
  const draws = Array.from({ length: 300 }, () => Array.from({ length: 5 }, () => random.uniform()));
  const pictures = [...(await everyCoding()), ...photos];
  const some = draws.map((_, i) => pictures[(i * 7) % pictures.length]!);
  const seen = await byBoth(some, async (picture, i) => {
    const [x, y, width, height, size] = draws[i] as [number, number, number, number, number];
    const left = Math.floor(x * (picture.width - 1));
    const top = Math.floor(y * (picture.height - 1));
    const box = {
      ...{ left, top },
      width: 1 + Math.floor(width * (picture.width - left - 1)),
      height: 1 + Math.floor(height * (picture.height - top - 1)),
    };
    const side = 1 + Math.floor(size * 60);
    const part = picture.crop(box).resize({ width: side, height: side, fit: 'fill' });
    return i % 3 === 0 ? await renderGrey(part) : await whole(part);
  });
  t.same(
    seen.ours.filter((one) => typeof one === 'string'),
    [],
  );
  t.same(differing(seen), []);
});

t.test('damaged files: the same pixels or the same words', { skip }, async (t) => {
  const random = new Random(5, 'damage', 'test');
  const pictures = [...(await everyCoding()), ...photos.slice(0, 8)];
  const damaged = Array.from({ length: 1500 }, (_, i) => {
    const bytes = Buffer.from(pictures[i % pictures.length]!);
    const at = () => Math.floor(bytes.length / 4 + (random.uniform() * bytes.length * 3) / 4);
    const kind = random.integer(5);
    if (kind === 0) return bytes.subarray(0, at());
    if (kind === 1) bytes.writeUInt16BE(0xffd0 + random.integer(10), at() - 2);
    else if (kind === 2) bytes.fill(0xff, at(), at());
    else for (let n = random.integer(4); n >= 0; n--) bytes[at() - 1] = random.integer(256);
    return bytes;
  });
  const seen = await byBoth(damaged, whole);
  t.same(differing(seen), []);
  const words = seen.ours.filter((one) => typeof one === 'string').length;
  t.ok(words > 100 && words < 1400, `${words} of them are said to be damaged`);
});

t.test(
  'further bytes of 255 before the 0 that is behind one: the same pixels or the same words',
  { skip },
  async (t) => {
    const pictures = [...(await everyCoding()), ...photos.slice(0, 8)];
    const filled = pictures.flatMap((bytes) => {
      const places: number[] = [];
      for (let at = scanOf(bytes); at < bytes.length - 1; at++)
        if (bytes[at] === 255 && bytes[at + 1] === 0) places.push(at);
      const some = places.filter((_, i) => i % Math.ceil(places.length / 12) === 0);
      return some.map((at, i) =>
        Buffer.concat([bytes.subarray(0, at), Buffer.alloc(1 + (i % 3), 255), bytes.subarray(at)]),
      );
    });
    t.ok(filled.length > 400, `${filled.length} files`);
    t.same(differing(await byBoth(filled, whole)), []);
    if (!isAbsent(addon)) t.match(addon.info().codes, served);
  },
);

/** Renders the files, one after the other, in a process of its own; answers whose decoder served in the end. */
function servedBy(folder: string, files: readonly Buffer[]): string {
  const paths = files.map((bytes, i) => {
    const path = join(folder, `${i}.jpg`);
    writeFileSync(path, bytes);
    return path;
  });
  const source = (name: string) => new URL(`../../../src/${name}.ts`, import.meta.url).href;
  const program = `
    import { readFileSync } from 'node:fs';
    import { imageAddon } from ${JSON.stringify(source('native'))};
    import { openPicture } from ${JSON.stringify(source('vision/open'))};
    import { renderPixels } from ${JSON.stringify(source('vision/render/render'))};
    for (const path of ${JSON.stringify(paths)}) await renderPixels(await openPicture(readFileSync(path)));
    process.stdout.write(String(imageAddon().info().codes));
  `;
  const typescript = fileURLToPath(new URL('../../../scripts/lib/typescript.mjs', import.meta.url));
  const args = ['--import', typescript, '--input-type=module', '-e', program];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return stdout || stderr;
}

t.test('whichever sound picture comes first, a process keeps our decoder', { skip }, async (t) => {
  const { data, width, height } = kit.noisy(200, 200);
  const flat = Buffer.from(data);
  flat.fill(255, 0, width * 40 * 3);
  const source = sharp(flat, { raw: { width, height, channels: 3 } });
  for (const [i, chromaSubsampling] of ['4:2:0', '4:4:4'].entries()) {
    const topped = await source.clone().jpeg({ quality: 90, chromaSubsampling }).toBuffer();
    t.match(servedBy(t.testdir({}), [topped, photos[i]!]), served, chromaSubsampling);
  }
  const grey = await source.clone().toColourspace('b-w').jpeg({ quality: 90 }).toBuffer();
  t.match(servedBy(t.testdir({}), [grey, restarts, photos[2]!]), served, 'grey');
});

t.test('bytes before and behind markers of restarts are judged as by libjpeg', { skip }, async (t) => {
  const marker = restarts.findIndex((byte, i) => byte === 0xff && (restarts[i + 1]! & 0xf8) === 0xd0);
  const before = (count: number) =>
    Buffer.concat([restarts.subarray(0, marker), Buffer.alloc(count, 0x55), restarts.subarray(marker)]);
  const behind = (count: number) => {
    const photo = photos[3]!;
    const more = Buffer.from([0xff, 0xd0, ...Array.from({ length: count }, (_, i) => (i * 37 + 11) % 255)]);
    return Buffer.concat([photo.subarray(0, -2), more, photo.subarray(-2)]);
  };
  const made = [1, 2, 5, 30].map(before).concat([15, 25, 40].map(behind));
  const seen = await byBoth(made, whole);
  t.same(differing(seen), []);
  t.match(seen.ours.slice(4), Array(3).fill(/data left over/));
});
