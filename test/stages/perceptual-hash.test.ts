import t from 'tap';
import { perceptualHash } from '../../src/stages/perceptual-hash.ts';
import { perceptualHash as hashOf } from '../../src/vision/likeness/perceptual-hash.ts';
import { rawPicture } from '../../src/vision/picture.ts';
import { noisy } from '../kit/pictures/pictures.ts';
import { anyPictures, refuses, stageOf } from '../kit/stages.ts';

const { data } = noisy(64, 96);
const picture = rawPicture({ data, width: 64, height: 96, channels: 3 });

t.test('it adds the thumbnail and the hash of it, and leaves the picture', async (t) => {
  const sample = await stageOf(perceptualHash, {}, anyPictures).run({ picture });
  t.equal(sample.picture, picture);
  t.equal(sample.thumbnail.length, 32 * 32);
  t.same(sample.hash, hashOf(sample.thumbnail));
});

t.test('the same picture twice as large has nearly the same thumbnail', async (t) => {
  const stage = stageOf(perceptualHash, {}, anyPictures);
  const small = await stage.run({ picture });
  const large = await stage.run({ picture: picture.settle().resize({ width: 128, height: 192, kernel: 'nearest' }) });
  const differences = small.thumbnail.map((value, i) => Math.abs(value - large.thumbnail[i]!));
  t.ok(differences.reduce((sum, value) => sum + value, 0) / differences.length < 4);
});

t.test('spec and options', async (t) => {
  t.same(stageOf(perceptualHash, {}, anyPictures).output.fields, {
    ...anyPictures.fields,
    hash: { dtype: 'uint8', shape: [32] },
    thumbnail: { dtype: 'uint8', shape: [32, 32] },
  });
  t.ok(refuses(perceptualHash, { size: 8 }));
});
