import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { sentencesOf } from '../../../src/cli/sentences.ts';
import type { RunEvent } from '../../../src/events/events.ts';
import { builtin } from '../../../src/pipeline/builtin.ts';
import { checkFile } from '../../../src/pipeline/check.ts';
import { run } from '../../../src/runs/run.ts';
import { evaluateModel } from '../../../src/runs/training/evaluation.ts';
import type { EvaluationRow } from '../../../src/runs/training/evaluation-row.ts';
import { spread } from '../../../src/runs/training/held-out.ts';
import { labelledFolder, writeFiles } from '../../kit/files/folder.ts';
import { saying } from '../../kit/runs/said.ts';
import { patchstream } from '../../kit/runs/terminal.ts';

const head = `
name: tiny
seed: 3
threads: 2
source: { image-folder: { path: train, labels: true, repeat: 3 } }
stages:
  - decode
  - random-resized-crop: { size: 16, scale: [0.8, 1] }
  - windows: { patch: 4, size: 3, views: 1 }
  - mask: 0.5
train:
  model: { lomar: { width: 16, depth: 1, heads: 2, target: pixels } }
  batch: 6
  microBatch: 6
  steps: 6
  thread: main
  backend: wasm
  checkpoint: { everySteps: 6 }
output: run
`;
const knn = 'k: 3, on: { image-folder: { path: test, labels: true } }';

async function sound(root: string, text: string) {
  writeFiles(root, { 'tiny.yaml': text });
  const { resolved, problems } = await checkFile(join(root, 'tiny.yaml'), { registry: builtin });
  return {
    resolved: resolved!,
    texts: problems.map(({ error }) => error.message),
    codes: problems.map(({ error }) => error.code),
  };
}

const rowsIn = (root: string) =>
  readFileSync(join(root, 'run/evaluations.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((row) => JSON.parse(row) as EvaluationRow);

t.test(
  'L9: what the sources of an evaluation pass over is said as of the source of a training, and their sums hold',
  async (t) => {
    const root = t.testdir();
    await labelledFolder(join(root, 'train'), 4);
    await labelledFolder(join(root, 'test'), 2);
    writeFiles(root, { 'test/a/notes.txt': '', 'test/.hidden': '', 'test/b/broken.png': 'damaged' });
    const { resolved, texts } = await sound(
      root,
      `${head.replace('steps: 6', 'steps: 1')}evaluate:
  knn: { ${knn} }
  linear: { on: test, reference: train, epochs: 2 }
  reconstruction: { on: test }
`,
    );
    t.same(texts, []);
    const events: RunEvent[] = [];
    const { lines } = await run(resolved.definition, { onEvent: (event) => events.push(event) });
    const text = 'passed over: 1 hidden (.hidden), 1 with another ending (.txt 1; as a/notes.txt)';
    const sum = 'listed 9 = 6 delivered + 1 failed + 0 dropped + 2 passed over';
    t.same(
      events.flatMap((event) => (event.type === 'passedOver' ? sentencesOf(event) : [])),
      [`evaluate.reconstruction.on: ${text}`, `evaluate.knn.on, evaluate.linear.on: ${text}`],
    );
    t.same(
      lines.filter((line) => line.startsWith('evaluate.')),
      [
        'evaluate.knn.reference, evaluate.linear.reference: listed 12 = 12 delivered + 0 failed + 0 dropped + 0 passed over',
        `evaluate.knn.on, evaluate.linear.on, evaluate.reconstruction.on: ${sum}; ${text}`,
      ],
    );
    const rows = readFileSync(join(root, 'run/events.jsonl'), 'utf8').trim().split('\n');
    t.same(
      rows.flatMap((row) => (JSON.parse(row).event === 'passedOver' ? [JSON.parse(row).of] : [])),
      [['evaluate.reconstruction.on'], ['evaluate.knn.on', 'evaluate.linear.on']],
    );
    const file = join(root, 'tiny.yaml');
    const evaluated = await patchstream(['evaluate', file, '--json']);
    t.match(evaluated, {
      code: 0,
      err: /^evaluate\.reconstruction\.on, evaluate\.knn\.on, .*: listed 9 = .*; passed over: 1 hidden/m,
    });
    t.match(JSON.parse(evaluated.out).sums.slice(1), [
      { place: 'evaluate.knn.reference', sum: { listed: 12, delivered: 12 } },
      {
        place: 'evaluate.knn.on',
        sum: { listed: 9, failed: 1 },
        passedOver: [{ reason: 'hidden' }, { reason: 'ending' }],
      },
    ]);
    t.match(await patchstream(['reconstruct', file, '--on', join(root, 'test'), '--output', join(root, 'r.png')]), {
      code: 0,
      err: /^evaluate\.reconstruction\.on: listed 9 = 6 delivered \+ 1 failed .*passed over: 1 hidden/m,
    });
  },
);

t.test(
  'N6: the largest class stands beside, and pictures that are measured against themselves are called so',
  async (t) => {
    const root = t.testdir();
    await labelledFolder(join(root, 'train'), 4);
    await labelledFolder(join(root, 'test'), 2);
    for (const name of ['a/1.png', 'b/1.png']) rmSync(join(root, 'test', name));
    const text = head.replace('steps: 6', 'steps: 1');
    const { resolved } = await sound(
      root,
      `${text}evaluate:\n  measures:\n    - knn: { ${knn} }\n    - knn: { k: 1, on: { image-folder: { path: ./train, labels: true } }, reference: train }\n`,
    );
    const { lines } = await run(resolved.definition);
    t.match(
      lines.filter((line) => line.startsWith('k-NN')),
      [
        /after; the largest class has 50\.0 % \(k 3; 4 pictures, answers from 12\)$/,
        /100\.0 % after; the largest class has 33\.3 % \(k 1; .* answers from 12, the same pictures/,
      ],
    );
    t.equal(
      lines.filter((line) => line.startsWith('Warning: k-NN asks about the very pictures that answer')).length,
      1,
    );
  },
);

t.test('N6: only the same source with the same options reads the same pictures, wherever its paths lead', async (t) => {
  const root = t.testdir();
  await labelledFolder(join(root, 'train'), 4);
  const pixels = (count: number) => {
    const head = [2051, count, 16, 16].flatMap((n) => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255]);
    return Uint8Array.from([...head, ...Array.from({ length: count * 256 }, (_, i) => (i * 37) & 255)]);
  };
  const labels = (count: number) => Uint8Array.from([0, 0, 8, 1, 0, 0, 0, count, ...Array(count).fill(0)]);
  const files = { 'im.idx': pixels(4), 'la.idx': labels(4), 'other.idx': labels(4) };
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(root, name), bytes);
  symlinkSync('im.idx', join(root, 'link.idx'));
  const idx = (images: string, own = 'la.idx') => `{ idx: { images: ${images}, labels: ${own} } }`;
  const folder = (more: string) => `{ image-folder: { path: train, labels: true${more} } }`;
  const pairs = [
    [idx('im.idx'), idx('./im.idx'), true],
    [idx('im.idx'), idx('link.idx'), true],
    [idx('im.idx'), idx('im.idx', 'other.idx'), undefined],
    [folder(''), 'train/../train', true],
    [folder(''), folder(', formats: [png]'), undefined],
  ] as const;
  const own = (on: string) => (on.includes('idx') ? ', stages: [resize: 16]' : '');
  const measures = pairs.map(([on, reference]) => `    - knn: { k: 1, on: ${on}, reference: ${reference}${own(on)} }`);
  const text = head.replace('steps: 6', 'steps: 1');
  const { resolved, texts } = await sound(root, `${text}evaluate:\n  measures:\n${measures.join('\n')}\n`);
  t.same(texts, []);
  const { results } = await evaluateModel(resolved, { fresh: true });
  t.same(
    results.map(({ numbers }) => numbers.same),
    pairs.map(([, , same]) => same),
  );
});

t.test('before, on the way and after: files, lines, report; a run that goes on keeps what was measured', async (t) => {
  const root = t.testdir();
  await labelledFolder(join(root, 'train'), 8);
  await labelledFolder(join(root, 'test'), 4);
  const text = `${head}evaluate:
  every: { steps: 2 }
  knn: { ${knn} }
  linear: { on: test, reference: train, epochs: 20, limit: { on: 6 } }
  reconstruction: { on: test }
`;
  const { resolved, texts } = await sound(root, text);
  t.same(texts, []);
  const lines: string[] = [];
  const hear = saying(lines);
  const summary = await run(resolved.definition, { onEvent: hear });
  t.match(lines.join('\n'), /before the training: k-NN accuracy at 16×16: \d/);
  t.match(lines.join('\n'), /after step 2: k-NN[\s\S]*after step 4: error on the hidden pixels \d/);
  t.match(
    summary.lines.join('\n'),
    /k-NN accuracy at 16×16: [\d.]+ % before, [\d.]+ % after; the largest class has 33\.3 % \(k 3; 12 pictures, answers from 24\)/,
  );
  t.match(
    summary.lines.join('\n'),
    /Linear accuracy at 16×16: [\d.]+ % before, [\d.]+ % after; the largest class has 33\.3 % \(6 of 12 pictures/,
  );

  const rows = rowsIn(root);
  t.same(
    rows.map(({ step }) => step),
    [0, 2, 4, 6],
  );
  t.equal(rows[0]!.reconstruction, undefined, 'a reconstruction is not measured before');
  t.ok((rows[1]!.reconstruction as Record<string, number>).ours! > 0);
  const json = JSON.parse(readFileSync(join(root, 'run/evaluation.json'), 'utf8')) as Record<string, unknown>;
  t.same(Object.keys(json), ['ours', 'meanPatch', 'nearestPatch', 'smoothFill', 'knn', 'linear']);
  t.match(json.knn, { k: 3, resolution: '16×16', classes: 3, images: 12, of: 12, against: 24, againstOf: 24 });
  const { top1 } = json.knn as { top1: Record<string, number> };
  // Patches of different brightness and texture: even features by chance tell them apart.
  t.ok(top1.start! > 0.8 && top1.end! > 0.8, JSON.stringify(top1));
  const report = readFileSync(join(root, 'run/report.html'), 'utf8');
  t.match(report, /Frozen features[\s\S]*k-NN accuracy at 16×16[\s\S]*On the way[\s\S]*Held-out reconstruction/);

  const evaluated = await evaluateModel(resolved);
  t.same(
    evaluated.results.slice(1).map(({ measure, numbers }) => [measure.id, numbers.top1]),
    rows.at(-1)!.features.map(({ id, top1 }) => [id, top1]),
    'the verb measures what the run did',
  );
  const few = await sound(root, text.replace('{ on: test }', '{ on: test, limit: 2 }'));
  t.same(
    [evaluated, await evaluateModel(few.resolved)].map(({ results }) => results[0]!.numbers.images),
    [12, 2],
    'of as many pictures as asked for',
  );

  // Killed after step 4: the row of step 6 is of a future that did not happen; the start is read, not measured.
  const [start] = rows;
  const marked = { ...start!, features: start!.features.map((result) => ({ ...result, top1: 0.125 })) };
  const kept = [marked, ...rows.slice(1)].map((row) => `${JSON.stringify(row)}\n`).join('');
  rmSync(join(root, 'run/checkpoints/step-00000006'), { recursive: true });
  rmSync(join(root, 'run/finished.json'));
  // Another pipeline has measured here, and a writer was cut off.
  const others = `${JSON.stringify({ ...start!, digest: 'another' })}\n{"step":4,"epo\n`;
  writeFiles(root, { 'run/evaluations.jsonl': others + kept });
  const file = () => readFileSync(join(root, 'run/evaluations.jsonl'), 'utf8');
  const told: string[] = [];
  const again = await run(resolved.definition, { onEvent: saying(told) });
  t.match(told.join('\n'), /evaluations.jsonl: lines that cannot be read stay and are passed over \(1\)/);
  t.ok(file().startsWith(others), 'lines of others stay');
  writeFiles(root, { 'run/evaluations.jsonl': file().slice(others.length) });
  t.match(again.lines.join('\n'), /k-NN accuracy at 16×16: 12\.5 % before/);
  t.same(rowsIn(root).slice(1), rows.slice(1), 'and ends as the undisturbed one');

  writeFiles(root, { 'run/evaluations.jsonl': others + file() });
  const fresh = await run(resolved.definition, { fresh: true });
  t.notMatch(fresh.lines.join('\n'), /12\.5 % before/);
  t.ok(file().startsWith(others), 'also when it begins anew');
  writeFiles(root, { 'run/evaluations.jsonl': file().slice(others.length) });
  t.same(rowsIn(root), rows);
});

t.test('pictures that go through few pixels, two measures of a kind, epochs, only at the end', async (t) => {
  const root = t.testdir();
  await labelledFolder(join(root, 'train'), 4);
  await labelledFolder(join(root, 'test'), 3);
  const { resolved, texts } = await sound(
    root,
    `${head}evaluate:
  at: [end]
  every: { epochs: 0.25 }
  measures:
    - knn: { ${knn}, vote: majority, pool: cls }
    - knn: { ${knn}, stages: [decode, { resize: 2 }, { resize: 16 }], limit: { reference: 6 } }
`,
  );
  t.same(texts, []);
  const summary = await run(resolved.definition);
  t.match(summary.lines, [
    /./,
    /^k-NN accuracy at 16×16: [\d.]+ %; the largest class has 33\.3 % \(/,
    /^k-NN accuracy at 2×2 \(knn#2\): [\d.]+ %; the largest class has 33\.3 % \(.*6 of 12\)/,
  ]);
  // 36 samples an epoch, 6 a step: a quarter is over within steps 2, 3, 5 and 6.
  t.same(
    rowsIn(root).map(({ step }) => step),
    [2, 3, 5, 6],
  );
  const json = JSON.parse(readFileSync(join(root, 'run/evaluation.json'), 'utf8')) as Record<string, { top1: object }>;
  t.same(Object.keys(json), ['knn', 'knn#2']);
  t.same(Object.keys(json.knn!.top1), ['end']);
  t.notOk(existsSync(join(root, 'run/reconstruction.png')));
});

t.test('what does not fit is told before the training', async (t) => {
  const root = t.testdir();
  await labelledFolder(join(root, 'train'), 3);
  await labelledFolder(join(root, 'test'), 2);
  rmSync(join(root, 'test/a'), { recursive: true });
  const shifted = await sound(root, `${head}evaluate: { knn: { ${knn} } }\n`);
  await t.rejects(run(shifted.resolved.definition), { code: 'CLASSES_DIFFER' });
  await labelledFolder(join(root, 'test'), 2);
  const many = await sound(root, `${head}evaluate: { knn: { on: test } }\n`);
  await t.rejects(run(many.resolved.definition), { code: 'KNN_FEW' });
  t.notOk(existsSync(join(root, 'run/checkpoints')));
});

t.test('check: measures that cannot be', async (t) => {
  const root = t.testdir();
  const check = (evaluate: string, change = (text: string) => text) =>
    sound(root, change(`${head}evaluate: ${evaluate}\n`));
  const results = [
    await check('{ knn: {} }'),
    await check('{ knn: { on: test } }', (text) => text.replace('labels: true, ', '')),
    await check('{ source: { image-folder: test }, knn: { k: 3 } }'),
    await check(`{ knn: { ${knn}, limit: { reference: 2 } } }`),
    await check(`{ knn: { ${knn}, stages: [decode, { random-resized-crop: 16 }, random-flip] } }`),
    await check(`{ knn: { ${knn}, stages: [decode, { resize: 8 }] } }`),
    await check(`{ knn: { ${knn}, stages: [decode] }, every: { steps: 2, epochs: 1 }, at: [middle] }`),
    await check('{ measures: [{ knm: {} }, { knn: {}, linear: {} }, 3] }'),
    await check('{ measures: [{ reconstruction: { on: a } }, { reconstruction: { on: b } }] }'),
    await check('{ reconstruction: { on: a, reference: b, baseline: low-resolution } }'),
    await check(`{ measures: [{ knn: { ${knn} } }], linear: { on: test } }`),
    await check('{ every: { steps: 2 } }'),
    await check('{ knn: { on: { idx: { images: a, labels: b } }, kk: 2 } }'),
    await check('{ knn: { on: { idz: { images: a } } } }'),
  ];
  t.matchSnapshot(results.map(({ texts }) => texts.join('\n').replaceAll(root, '')).join('\n---\n'));
  t.ok(results.every(({ codes }) => codes.length > 0));
});

t.test('a part of a source is spread over it', async (t) => {
  const read = (index: number) => ({ label: index });
  const whole = { count: 10, key: String, read };
  const part = spread(whole, 4);
  t.same(
    [0, 1, 2, 3].map((index) => part.key(index)),
    ['0', '2', '5', '7'],
  );
  t.same(part.read(3, new AbortController().signal), { label: 7 });
  t.equal(spread(whole), whole);
  t.equal(spread(whole, 11), whole);
});

t.test('raw pixels stand beside features, at any size; features need pictures as the model takes them', async (t) => {
  const root = t.testdir();
  await labelledFolder(join(root, 'train'), 4);
  await labelledFolder(join(root, 'test'), 2);
  const small = `${knn}, stages: [decode, resize: 8]`;
  const { codes } = await sound(root, `${head}evaluate: { knn: { ${small} } }\n`);
  t.same(codes, ['EVALUATE_SHAPE']);
  const text = `${head}evaluate: { measures: [{ knn: { ${knn} } }, { knn: { ${small}, pool: pixels } }, { linear: { on: test, epochs: 1, pool: pixels } }] }\n`;
  const { resolved, texts } = await sound(
    root,
    text.replace('on: test,', 'on: { image-folder: { path: test, labels: true } },'),
  );
  t.same(texts, []);
  await run(resolved.definition, { registry: builtin });
  const rows = rowsIn(root).map(({ features }) => features);
  t.same(
    rows.map((features) => features.map(({ id }) => id)),
    [0, 1].map(() => ['knn', 'knn#2', 'linear']),
  );
  const [before, after] = rows.map((features) => features.slice(1));
  t.same(before, after, 'no training changes pixels');
  t.match(after, [{ resolution: '8×8' }, { resolution: '16×16' }]);
});
