import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { decode, embed, imageFolder, pipeline } from '../../../src/index.ts';
import { embedPictures } from '../../../src/runs/embed-pictures.ts';
import { writeFiles } from '../../kit/files/folder.ts';
import { patchstream } from '../../kit/runs/terminal.ts';
import { linesIn, trainedRuns } from '../../kit/training/trained-runs.ts';

/** Of both tests: training costs most of their time. */
const runs = trainedRuns(t, 40);

t.test(
  'photographs become vectors and labels: as verbs, in a file, in a program; bytes do not hang on how',
  async (t) => {
    const root = await runs;
    const at = (...names: string[]) => join(root, ...names);

    const words = ['embed', at('encoder'), at('photos'), '--format', 'jsonl'];
    const told = await patchstream([...words, '--output', at('whole')]);
    t.match(told, { code: 0, out: /17 lines in/ }, told.err);
    const whole = linesIn(at('whole', 'jsonl'));
    t.equal(whole.length, 17);
    t.ok(whole.every(({ embedding }) => embedding.length === 16 && embedding.every(Number.isFinite)));
    t.ok(new Set(whole.map(({ embedding }) => JSON.stringify(embedding))).size > 3, 'pictures differ');

    // Parts, each with its own holes and batches, joined.
    for (const part of ['1/2', '2/2']) {
      t.match(await patchstream([...words, '--output', at('parts'), '--part', part, '--threads', '1']), { code: 0 });
    }
    t.same(linesIn(at('parts', 'jsonl')), whole, 'two parts are the whole, to the last bit');

    writeFiles(root, {
      'embed.yaml': `
name: pictures
source: { image-folder: photos }
stages: [decode, { embed: { from: encoder, concurrency: 3 } }]
sink: jsonl
permits: 9
output: in-file
`,
    });
    t.match(await patchstream(['check', at('embed.yaml')]), { code: 0 });
    t.match(await patchstream(['describe', at('embed.yaml')]), { out: /embedding float32 \[16\]/ });
    t.match(await patchstream(['run', at('embed.yaml')]), { code: 0 });
    t.same(linesIn(at('in-file', 'jsonl')), whole, 'nine samples in flight are the same');

    const inProgram: unknown[] = [];
    const photos = pipeline(imageFolder(at('photos')), decode({ maxFailures: 3 }), embed({ from: at('encoder') }));
    for await (const { key, position, embedding } of photos.samples()) inProgram.push({ key, position, embedding });
    t.equal(inProgram.length, 17);
    const [first] = inProgram as { embedding: Float32Array }[];
    t.same(Array.from(first!.embedding), whole[0]!.embedding.map(Math.fround));

    const some = [whole[5]!, whole[0]!];
    const { width, values } = await embedPictures({
      from: at('encoder'),
      pool: 'mean',
      paths: some.map(({ key }) => at('photos', key)),
    });
    t.equal(width, 16);
    for (const [i, { embedding }] of some.entries()) {
      const far = embedding.map((value, d) => Math.abs(value - values[i * 16 + d]!));
      t.ok(Math.max(...far) < 1e-5, 'another slot, the same vector');
    }
    await t.rejects(embedPictures({ from: at('encoder'), pool: 'mean', paths: [at('photos', '00003.jpg')] }), {
      code: 'EMBED_PICTURE',
    });

    // Labels of pictures that it was trained on, from a folder without labels.
    for (const name of ['a/0', 'b/0', 'c/0'])
      copyFileSync(at('classes', `${name}.png`), at('photos', `${name[0]}.png`));
    const named = await patchstream(['predict', at('classifier'), at('photos'), '--top', '2', '--output', at('named')]);
    t.match(named, { code: 0 }, named.err);
    for (const name of ['a', 'b', 'c']) t.match(named.out, new RegExp(`^${name}\\.png +${name} 0\\.\\d\\d`, 'm'));
    const rows = linesIn(at('named', 'jsonl'));
    t.equal(rows.length, 20);
    for (const { label, probability, class: rank } of rows) {
      t.equal((label as string[]).length, 2);
      const [most, next] = probability as [number, number];
      t.ok(most >= next && most + next <= 1.000001);
      t.same(
        (rank as number[]).map((one) => 'abc'[one]),
        label,
      );
    }
    const again = await patchstream(['predict', at('classifier'), at('photos'), '--top', '2', '--output', at('named')]);
    t.match(again, { code: 0, out: /^a\.png +a/m }, 'what is there is printed again');
  },
);

t.test('a checkpoint that was changed ends the run before anything is written', async (t) => {
  const root = await runs;
  const at = (...names: string[]) => join(root, ...names);
  const out = ['--output', at('out')];
  // The same path, another model: what a finished job has written is not taken for its.
  const again = ['embed', at('encoder'), at('photos'), '--format', 'jsonl', '--output', at('before')];
  t.match(await patchstream(again), { code: 0 });
  const retrained = ['run', join(root, 'encoder.yaml'), '--fresh', '--set', 'train.steps=2'];
  t.match(await patchstream(retrained), { code: 0 });
  t.match(await patchstream(again), {
    code: 2,
    err: /^SHARDS_OTHER.*the model of `embed` was trained or written anew/m,
  });

  // A checkpoint whose weights are not those of its state ends the run.
  const [checkpoint] = readdirSync(at('encoder', 'checkpoints'));
  const weights = at('encoder', 'checkpoints', checkpoint!, 'model.safetensors');
  const bytes = readFileSync(weights);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(weights, bytes);
  rmSync(at('out'), { recursive: true, force: true });
  const words = ['embed', at('encoder'), at('photos'), '--format', 'jsonl', ...out];
  t.match(await patchstream(words), { code: 1, err: /CHECKPOINT_BROKEN/ });
});

t.test('faces to expressions: the file that is shipped names every face of its photographs', async (t) => {
  const root = await runs;
  const words = ['run', 'pipelines/faces-expression.yaml', '--set', `output=${join(root, 'faces')}`];
  const made = await patchstream([...words, '--set', `stages.predict.from=${join(root, 'classifier')}`]);
  t.match(made, { code: 0 }, made.err);
  const rows = linesIn(join(root, 'faces', 'jsonl'));
  t.ok(rows.length >= 20, `${rows.length} faces`);
  for (const { key, box, label, probability } of rows) {
    t.match(key, /\.jpg\/\d+$/);
    t.equal((box as number[]).length, 4);
    t.same([...(label as string[])].sort(), ['a', 'b', 'c']);
    t.ok(Math.abs((probability as number[]).reduce((sum, one) => sum + one, 0) - 1) < 1e-5);
  }
});
