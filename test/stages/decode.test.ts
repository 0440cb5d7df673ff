import t from 'tap';
import { decode } from '../../src/stages/decode.ts';
import * as kit from '../kit/pictures/pictures.ts';
import { picturesOf, refuses, stageOf } from '../kit/stages.ts';

const files = { fields: { bytes: 'bytes' } } as const;

t.test('opens a picture, lazily and upright', async (t) => {
  const bytes = await kit.oriented(kit.gradient(24, 16), 6);
  const sample = await stageOf(decode, {}, files).run({ bytes });
  t.same([sample.picture.width, sample.picture.height, sample.picture.orientation], [24, 16, 6]);
  t.equal(sample.picture.bytes, bytes, 'the file itself, no pixels');
  t.equal(sample.key, 'cats/one.jpg');
});

t.test('follows the formats of the source, unless it has its own', async (t) => {
  const bytes = await kit.gif(kit.ramp);
  await t.rejects(async () => stageOf(decode, {}, files).run({ bytes }), { code: 'PICTURE_FORMAT' });
  t.equal((await stageOf(decode, {}, { ...files, formats: ['gif'] }).run({ bytes })).picture.width, 4);
  t.equal((await stageOf(decode, { formats: ['gif'] }, files).run({ bytes })).picture.width, 4);
  await t.rejects(async () => stageOf(decode, { maxPixels: 15, formats: ['gif'] }, files).run({ bytes }), {
    code: 'PICTURE_LIMIT',
  });
});

t.test('broken files fail with their code', async (t) => {
  for (const { name, bytes, code } of await kit.brokenFiles()) {
    if (code === 'PICTURE_BROKEN') continue; // its header is whole: it fails when it is rendered
    await t.rejects(async () => stageOf(decode, {}, files).run({ bytes }), { code }, name);
  }
});

t.test('spec and options', async (t) => {
  t.same(stageOf(decode, {}, files).output.fields, { bytes: 'bytes', picture: 'picture' });
  t.equal(stageOf(decode, {}, picturesOf(9)).output.size, undefined, 'the size of a file is not known');
  for (const options of [{ formats: [] }, { formats: ['svg'] }, { maxPixels: 0 }, { maxPixel: 9 }])
    t.ok(refuses(decode, options));
});
