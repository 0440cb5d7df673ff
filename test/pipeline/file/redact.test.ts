// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in pipeline files look like templates
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { redact, redactProse, redactRow, redactValue, reveal, sealed } from '../../../src/pipeline/file/redact.ts';
import { pictureFolder, writeFiles } from '../../kit/files/folder.ts';
import { patchstream } from '../../kit/runs/terminal.ts';

const secret = 'sk-"hush"\\ &<x> 42';

t.test('S1: a value is found however it is written', (t) => {
  const secrets = [{ value: secret, shown: '${KEY}' }];
  const html = 'sk-&quot;hush&quot;\\ &amp;&lt;x&gt; 42';
  for (const text of [secret, JSON.stringify(secret), html, encodeURIComponent(secret)])
    t.notMatch(redact(`a ${text} b`, secrets), 'hush', text);
  const long = { value: 'x'.repeat(99), shown: '${LONG}' };
  t.equal(redact(`got '${'x'.repeat(60)}…'`, [long]), "got '${LONG}'");
  const key = { value: 'BEGIN KEY\nabcdefghijkl\nEND', shown: '${PEM}' };
  t.equal(redact('bad line: abcdefghijkl', [key]), 'bad line: ${PEM}');
  t.equal(reveal(redact(`a ${secret}`, secrets), secrets), `a ${secret}`);
  t.end();
});

t.test('S1: options hide every value, rows of a run no numbers', (t) => {
  const secrets = ['3', 'true', 'abcd'].map((value) => ({ value, shown: `\${V${value}}` }));
  t.same(redactValue({ a: 3, b: true, c: ['abcd'], d: 33 }, secrets), {
    a: '${V3}',
    b: '${Vtrue}',
    c: ['${Vabcd}'],
    d: 33,
  });
  const row = { step: 3, text: '3 steps, true, abcd', key: 'abcd/1.jpg' };
  t.same(redactRow(row, secrets), { step: 3, text: '3 steps, true, ${Vabcd}', key: 'abcd/1.jpg' });
  t.end();
});

t.test('L1, S1: what programs compare in a row, and the names of our own files, are never hidden', (t) => {
  const secrets = ['start', 'line', 'decode', 'pipeline', '/data/events.jsonl'].map((value) => ({
    value,
    shown: `\${V${value.length}}`,
  }));
  const row = { type: 'line', event: 'start', stage: 'decode', how: 'start', text: 'a pipeline of one line' };
  t.same(redactRow(row, secrets), { ...row, text: 'a ${V8} of one ${V4}' });
  const prose = (text: string) => redactProse(text, secrets);
  t.equal(prose('/out/pipeline.json is not of the pipeline'), '/out/pipeline.json is not of the ${V8}');
  t.equal(prose('my-pipeline.json, pipeline.jsonl'), 'my-${V8}.json, ${V8}.jsonl');
  t.equal(prose('in /data/events.jsonl'), 'in ${V18}', 'a secret that is more than our name');
  t.equal(redact('pipeline.json', secrets), '${V8}.json', 'an option');
  t.end();
});

t.test('L12: what stands for a value tells it from others, and only where it is used', (t) => {
  const of = (value: string) =>
    sealed({ a: '${LR}' }, [
      { value, shown: '${LR}' },
      { value: 'x', shown: '${NOT}' },
    ]);
  t.match(of('1'), { '${LR}': /^sha256:[0-9a-f]{12}$/ });
  t.not(of('1')['${LR}'], of('2')['${LR}']);
  t.same(Object.keys(of('1')), ['${LR}']);
  t.end();
});

const stage = `
import { defineStage } from 'patchstream';
import { z } from 'zod';
export const label = defineStage({
  name: 'ask',
  summary: 'Asks a service.',
  options: z.strictObject({ key: z.string(), nested: z.strictObject({ keys: z.array(z.string()) }) }),
  needs: ['picture'],
  output: (spec) => spec,
  run: ({ key }) => (sample) => {
    if (sample.key === '00001.jpg') throw new Error('401 for ' + key);
    return sample;
  },
});
`;

const job = (sink: string) => `
use: [./ask.ts]
source: { image-folder: { path: "\${PHOTOS}" } }
stages:
  - decode
  - resize: 16
  - ask: { key: "\${API_KEY}", nested: { keys: ["Bearer \${API_KEY}"] } }
sink: ${sink}
output: "./\${OUT}/${sink}"
`;

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}

t.test(
  'S1, L12: a secret in an option of a stage stands in nothing that is written or printed; another value is another run',
  async (t) => {
    const root = t.testdir({ 'ask.ts': stage });
    await pictureFolder(join(root, 'first'), 4);
    await pictureFolder(join(root, 'second'), 3);
    const env = { API_KEY: secret, PHOTOS: join(root, 'first'), OUT: 'results-of-mine' };
    for (const sink of ['shards', 'webdataset', 'jsonl', 'images']) {
      const file = join(root, `${sink}.yaml`);
      writeFileSync(file, job(sink));
      const folder = join(root, env.OUT, sink);
      const ran = await patchstream(['run', file], { env });
      t.equal(ran.code, 0, ran.err);
      const again = await patchstream(['run', file, '--json'], { env });
      t.match(again.out, /"earlier":true/, 'the files of a finished run are found under their true names');
      const printed = [ran, again];
      for (const verb of [
        ['describe', file],
        ['describe', file, '--json'],
        ['check', '--json', file],
      ])
        printed.push(await patchstream(verb, { env }));
      const parts = filesBelow(folder);
      if (sink === 'shards') printed.push(await patchstream(['inspect', join(folder, 'shards'), '--json']));
      for (const { out, err } of printed) t.notMatch(out + err, /hush/, sink);
      for (const path of parts) t.notOk(readFileSync(path).includes('hush'), path);
      t.match(readFileSync(join(folder, 'pipeline.json'), 'utf8'), '"key": "${API_KEY}"');
      t.match(readFileSync(join(folder, 'quarantine.jsonl'), 'utf8'), '401 for ${API_KEY}');
    }
    const file = join(root, 'images.yaml');
    const other = await patchstream(['run', file, '--json'], { env: { ...env, PHOTOS: join(root, 'second') } });
    t.match(other.out, /"done":2/, other.err);
    t.match(other.out, /environment\.\$\{PHOTOS\} is 'sha256:/);
  },
);

t.test('L1, S1: a run whose name is a value of the environment knows its own folder', async (t) => {
  const root = t.testdir({
    'job.yaml':
      'name: "${NAME}"\nsource: { image-folder: { path: photos } }\nstages: [decode, resize: 16]\nsink: shards\noutput: out\n',
  });
  await pictureFolder(join(root, 'photos'), 2);
  const out = join(root, 'out');
  for (const NAME of ['pipeline', 'start', 'digest', 'files']) {
    rmSync(out, { recursive: true, force: true });
    const start = (...more: string[]) => patchstream(['run', join(root, 'job.yaml'), ...more], { env: { NAME } });
    t.match(await start(), { code: 0 }, NAME);
    t.match(await start('--fresh'), { code: 0 }, `${NAME}, again`);
  }
  for (const NAME of ['type', 'progress', 'done']) {
    rmSync(out, { recursive: true });
    const { out: printed } = await patchstream(['run', join(root, 'job.yaml'), '--json', '--fresh'], { env: { NAME } });
    const rows = printed.trim().split('\n');
    t.match(
      rows
        .map((row) => JSON.parse(row) as { type: string })
        .filter(({ type }) => type !== 'notice' && type !== 'bottleneck'),
      [
        { type: 'started', kind: 'job' },
        { type: 'progress', done: 2 },
        { type: 'finished', summary: { done: 2 } },
      ],
      NAME,
    );
  }
  rmSync(out, { recursive: true });
  writeFiles(root, { 'out/pipeline.json': '{}' });
  const other = await patchstream(['run', join(root, 'job.yaml')], { env: { NAME: 'pipeline' } });
  t.match(other, { code: 2, err: /OUTPUT_OTHER.*pipeline\.json/ });
});

const training = `
use: [./ask.ts]
source: { image-folder: { path: "\${PHOTOS}" } }
stages:
  - decode
  - resize: 16
  - ask: { key: "\${API_KEY}", nested: { keys: ["Bearer \${API_KEY}"] } }
  - windows: { patch: 4, size: 3, views: 1 }
  - mask: 0.5
train:
  model: { lomar: { width: 16, depth: 1, heads: 2, target: pixels } }
  batch: 2
  microBatch: 2
  steps: 3
  thread: main
  backend: wasm
  checkpoint: { everySteps: 1, keep: 3 }
  optimizer: { adamw: { lr: "\${LR}" } }
evaluate: { reconstruction: { on: "\${PHOTOS}" } }
output: run
`;

t.test('S1, L12: a training writes no secret, and goes on with no other value than it was begun with', async (t) => {
  const root = t.testdir({ 'ask.ts': stage, 'training.yaml': training });
  await pictureFolder(join(root, 'photos'), 5);
  const env = { API_KEY: secret, PHOTOS: join(root, 'photos'), LR: '0.001' };
  const start = (more: object) => patchstream(['run', join(root, 'training.yaml')], { env: { ...env, ...more } });
  const ran = await start({});
  t.equal(ran.code, 0, ran.err);
  t.notMatch(ran.out + ran.err, /hush/);
  const files = filesBelow(join(root, 'run'));
  const names = files.map((path) => path.slice(join(root, 'run').length + 1));
  for (const name of ['report.html', 'events.jsonl', 'quarantine.jsonl', 'reconstruction.png', 'evaluation.json']) {
    t.ok(names.includes(name), name);
  }
  t.ok(names.filter((name) => name.startsWith('checkpoints/')).length >= 9, 'three checkpoints');
  for (const path of files) t.notOk(readFileSync(path).includes('hush'), path);

  // As after a kill.
  rmSync(join(root, 'run/finished.json'));
  rmSync(join(root, 'run/checkpoints/step-00000003'), { recursive: true });
  const other = await start({ LR: '0.002' });
  t.match(other, { code: 2, err: /CHECKPOINT_MISMATCH: .*\$\{LR\}/ });
  t.notMatch(other.out + other.err, /hush/);
  const key = await start({ API_KEY: 'another' });
  t.match(key, { code: 2, err: /CHECKPOINT_MISMATCH/ });
  t.match(await start({}), { code: 0, err: /Resuming after step 2/ });
});
