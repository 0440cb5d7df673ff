import { resolve } from 'node:path';
import t from 'tap';
import { imageFolder, pipeline } from '../../../src/index.ts';
import { builtin } from '../../../src/pipeline/builtin.ts';
import { checkFile } from '../../../src/pipeline/check.ts';
import { describe } from '../../../src/pipeline/describe.ts';
import {
  colorJitter,
  decode,
  gaussianBlur,
  randAugment,
  randomErasing,
  randomFlip,
  randomGrayscale,
  randomResizedCrop,
  solarize,
} from '../../../src/stages/index.ts';
import { writeFiles } from '../../kit/files/folder.ts';

/** Pictures of three epochs, one behind the other. */
async function pictures(concurrency: number, batch: number): Promise<Uint8Array> {
  const chain = pipeline(
    imageFolder('fixtures/held-out'),
    decode({ concurrency }),
    randomResizedCrop({ size: 32, concurrency }),
    randomFlip(),
    randAugment({ concurrency }),
    colorJitter({ hue: 0.1 }),
    randomGrayscale(),
    gaussianBlur(),
    solarize(),
    randomErasing({ probability: 0.5, concurrency }),
  );
  const all: Uint8Array[] = [];
  for await (const { fields } of chain.batches(batch, { epochs: 3, shuffle: true }))
    all.push(fields.picture.data as Uint8Array);
  return Buffer.concat(all);
}

t.test('the same pixels whatever the concurrency and the batch, and others in each epoch', async (t) => {
  const one = await pictures(1, 6);
  t.ok(one.length >= 36 * 32 * 32 * 3);
  t.ok(Buffer.compare(one, await pictures(4, 4)) === 0);
  const bytes = 32 * 32 * 3;
  const seen = new Set<string>();
  for (let at = 0; at < one.length; at += bytes) seen.add(Buffer.from(one.subarray(at, at + bytes)).toString('base64'));
  t.equal(seen.size, one.length / bytes, 'no picture comes twice');
});

t.test('evaluation leaves all of them out', async (t) => {
  const root = t.testdir();
  const folder = resolve('fixtures');
  writeFiles(root, {
    'tiny.yaml': `
name: tiny
source: { image-folder: { path: ${folder}, labels: true } }
stages:
  - decode
  - random-resized-crop: 32
  - random-flip
  - rand-augment: 7
  - color-jitter
  - random-grayscale
  - gaussian-blur
  - solarize
  - random-erasing
train: { model: { classifier: { encoder: lomar, size: nano, patch: 8, classes: 2 } }, batch: 8, steps: 2 }
evaluate: { classify: { on: ${folder} } }
`,
  });
  const { resolved, problems } = await checkFile(`${root}/tiny.yaml`, { registry: builtin });
  t.same(problems, []);
  const { evaluate } = describe(resolved!) as { readonly evaluate?: unknown };
  const stages = JSON.stringify(evaluate);
  t.match(stages, /"decode".*"resize"/);
  t.notMatch(stages, /rand-augment|jitter|grayscale|blur|solarize|erasing|flip/);
});
