import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { decodeSafetensors, floatsOf } from '../../src/formats/safetensors.ts';
import { decode, embed, imageFolder, pipeline, predict } from '../../src/index.ts';
import { builtin } from '../../src/pipeline/builtin.ts';
import { define } from '../../src/pipeline/definition.ts';
import { resolvePipeline } from '../../src/pipeline/resolve/resolve.ts';
import { trueJson } from '../../src/pipeline/resolve/resolved-json.ts';
import { embedPictures } from '../../src/runs/embed-pictures.ts';
import { exportable, weightsFile } from '../kit/exported/models.ts';
import { expectClose } from '../kit/training/tensors.ts';

const root = t.testdir({});
const photos = 'fixtures/held-out';
const fileOf = (name: string) => weightsFile(root, exportable.find((one) => one.name === name)!);

t.test('a vector of a classifier is what its head reads, however it pools', async (t) => {
  for (const name of ['classifier-lomar', 'classifier-mae-cls', 'classifier-beit-cls']) {
    const from = await fileOf(name);
    const { tensors } = decodeSafetensors(readFileSync(from));
    const [weight, bias] = ['head.weight', 'head.bias'].map((each) => floatsOf(tensors.get(each)!));
    const files = imageFolder(photos);
    const answers: { readonly class: Int32Array; readonly probability: Float32Array }[] = [];
    for await (const one of pipeline(files, decode(), predict({ from, top: 3 })).samples()) answers.push(one);
    const vectors: Float32Array[] = [];
    for await (const { embedding } of pipeline(files, decode(), embed({ from })).samples()) vectors.push(embedding);
    t.ok(answers.length > 3 && vectors.length === answers.length, name);
    for (const [i, vector] of vectors.entries()) {
      t.equal(vector.length, 16);
      // The file has the linear map as [classes, D].
      const scores = Array.from(bias!, (start, c) =>
        vector.reduce((sum, value, d) => sum + value * weight![c * vector.length + d]!, start),
      );
      const whole = scores.reduce((sum, score) => sum + Math.exp(score), 0);
      const { class: ranks, probability } = answers[i]!;
      const expected = Array.from(ranks, (rank) => Math.exp(scores[rank]!) / whole);
      expectClose(t, probability, expected, 1e-5, `${name}, picture ${i}`);
    }
  }
});

t.test('another way of pooling is taken where it is named', async (t) => {
  const from = await fileOf('classifier-mae-cls');
  const paths = [join(photos, 'cup.jpg')];
  const own = await embedPictures({ from, paths });
  const cls = await embedPictures({ from, paths, pool: 'cls' });
  const mean = await embedPictures({ from, paths, pool: 'mean' });
  t.same([own.values, own.fingerprint], [cls.values, cls.fingerprint]);
  t.not(mean.fingerprint, cls.fingerprint);
  t.not(Buffer.from(mean.values.buffer).equals(Buffer.from(cls.values.buffer)), true);
  const patches: Float32Array[] = [];
  for await (const { embedding } of pipeline(imageFolder(photos), decode(), embed({ from, pool: 'patches' })).samples())
    patches.push(embedding);
  t.equal(patches[0]!.length, 16 * 16);
});

t.test(
  'a job says how vectors are pooled where its file does not; that of an encoder is the same job as before',
  async (t) => {
    const stageOf = (from: string, more: object = {}) => {
      const resolved = resolvePipeline(
        define({ name: 'x', source: imageFolder(photos), stages: [decode(), embed({ from, ...more })] }),
        builtin,
      );
      return trueJson(resolved).stages[1] as unknown as { embed: object };
    };
    const encoder = await fileOf('mae');
    t.equal(
      JSON.stringify(stageOf(encoder)),
      JSON.stringify(stageOf(encoder, { pool: 'mean' })),
      'to the order of keys',
    );
    t.match(stageOf(await fileOf('classifier-beit-cls')), { embed: { pool: 'cls' } });
    t.match(stageOf(await fileOf('classifier-beit')), { embed: { pool: 'mean' } });
    t.notOk('pool' in stageOf('nowhere').embed, 'nothing is known of a run that is still to be trained');
  },
);
