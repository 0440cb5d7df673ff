import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { z } from 'zod';
import { Problems } from '../../../src/pipeline/problem.ts';
import { checkSource } from '../../../src/pipeline/resolve/evaluate.ts';
import { pipeline } from '../../../src/runs/loader/define.ts';
import { idx, imageFolder, manifest, mixture } from '../../../src/sources/index.ts';
import type { OpenSource } from '../../../src/sources/open-source.ts';
import type { Selection } from '../../../src/sources/selection.ts';
import { partOf } from '../../../src/sources/selection.ts';
import { defineSource, type Source } from '../../../src/sources/source.ts';
import { labelledFolder, pictureFolder, writeFiles } from '../../kit/files/folder.ts';
import { numbered } from '../../kit/runs/jobs.ts';
import { patchstream } from '../../kit/runs/terminal.ts';

type Parts = readonly { readonly source: Source; readonly weight?: number; readonly name?: string }[];

const lines: string[] = [];
const context = {
  base: process.cwd(),
  signal: new AbortController().signal,
  progress: (text: string) => lines.push(text),
};

/** As a run has it: the options parsed, those of the parts too. */
function resolved(source: Source) {
  const problems = new Problems({ origin: undefined, file: undefined });
  const found = checkSource(source, ['source'], problems);
  return { source: found, problems: problems.list.map(({ error }) => error.message) };
}

async function open(parts: Parts, options: Selection & { samples?: number } = {}): Promise<OpenSource> {
  const { source, problems } = resolved(mixture({ parts: [...parts], ...options } as never));
  t.same(problems, []);
  return source!.definition.open(source!.options, context);
}

/** The key without the times that an epoch has met it before. */
const plain = (key: string) => key.replace(/^([^/#]+)#\d+\//, '$1/');

/** The keys of an epoch in listing order. */
const epochOf = (source: OpenSource, epoch: number) =>
  Array.from({ length: source.count }, (_, i) => source.key(epoch * source.count + i));

const [a, b] = [numbered({ count: 30, name: 'a' }), numbered({ count: 10, name: 'b' })];

t.test('without weights an epoch has every sample of every part once, part behind part', async (t) => {
  const source = await open([{ source: a, name: 'first' }, { source: b }]);
  t.equal(source.count, 40);
  const keys = epochOf(source, 0);
  t.same(
    [keys[0], keys[29], keys[30], keys[39]],
    ['first/a/0.png', 'first/a/29.png', 'numbered/b/0.png', 'numbered/b/9.png'],
  );
  t.same(epochOf(source, 3), keys);
  t.match(await source.read(31, context.signal), { label: 1 });
});

t.test(
  'with weights an epoch has their shares; what is left out comes in the next, what comes again has another key',
  async (t) => {
    const source = await open([
      { source: a, weight: 1 },
      { source: b, weight: 1, name: 'b' },
    ]);
    t.equal(source.count, 40);
    const epochs = [0, 1, 2].map((epoch) => epochOf(source, epoch));
    for (const keys of epochs) {
      t.equal(new Set(keys).size, 40);
      t.equal(keys.filter((key) => /^numbered(#1)?\//.test(key)).length, 20);
      t.same(
        keys.filter((key) => /^b[#/]/.test(key)).toSorted(),
        [0, 1].flatMap((r) => Array.from({ length: 10 }, (_, i) => `b${r ? '#1' : ''}/b/${i}.png`)).toSorted(),
      );
    }
    const times = new Map<string, number>();
    for (const key of epochs.flat().map(plain))
      if (key.startsWith('numbered/')) times.set(key, (times.get(key) ?? 0) + 1);
    t.equal(times.size, 30);
    t.same([...new Set(times.values())], [2], '60 of 30 samples: each twice');
  },
);

t.test('`samples` says how long an epoch is; a key is the sample that is read', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 2, max: 90 }), fc.integer({ min: 1, max: 9 }), async (samples, weight) => {
      const source = await open(
        [
          { source: a, weight },
          { source: b, weight: 5, name: 'b' },
        ],
        { samples: Math.max(samples, 20) },
      );
      t.equal(source.count, Math.max(samples, 20));
      for (let i = 0; i < 3 * source.count; i += 7) {
        const key = /\/(\d+)\.png/.exec(source.key(i))![1];
        t.match(await source.read(i, context.signal), { label: Number(key) % 10 });
      }
    }),
    { numRuns: 20 },
  );
});

t.test('`fold` and `without` choose in each part by its own keys, `limit` by the weights', async (t) => {
  const parts = [
    { source: a, weight: 3 },
    { source: b, weight: 1, name: 'b' },
  ];
  const fold = await open(parts, { fold: '1/3', samples: 400 });
  const rest = await open(parts, { without: '1/3', samples: 400 });
  const whole = new Set(epochOf(await open(parts, { samples: 400 }), 0).map(plain));
  const [inside, outside] = [fold, rest].map((source) => new Set(epochOf(source, 0).map(plain)));
  t.same([...inside!, ...outside!].toSorted(), [...whole].toSorted());
  for (const key of inside!) t.equal(partOf(key.slice(key.indexOf('/') + 1), 3), 1);
  const few = await open(parts, { limit: 8 });
  t.equal(few.count, 8);
  t.equal(epochOf(few, 0).filter((key) => key.startsWith('b/')).length, 2);
  t.same(epochOf(few, 1), epochOf(few, 0), 'what was chosen is all that there is');
});

t.test('a part that is repeated is chosen from first: no picture is on both sides of a fold', async (t) => {
  const root = t.testdir();
  for (const name of ['one', 'other']) await labelledFolder(join(root, name), 4);
  const other = { source: imageFolder({ path: join(root, 'other'), labels: true }), name: 'b' };
  const repeated = { path: join(root, 'one'), repeat: 3, labels: true };
  const parts = [{ source: imageFolder(repeated) }, other];
  const picturesOf = (source: OpenSource) => epochOf(source, 0).map((key) => key.replace(/#\d+$/, ''));
  const whole = await open(parts);
  const [inside, outside] = [await open(parts, { fold: '1/3' }), await open(parts, { without: '1/3' })];
  t.same([...picturesOf(inside), ...picturesOf(outside)].toSorted(), picturesOf(whole).toSorted());
  const held = new Set(picturesOf(inside));
  t.ok(held.size > 1 && picturesOf(outside).every((picture) => !held.has(picture)));
  const alone = await open([{ source: imageFolder({ ...repeated, fold: '1/3' }) }, other]);
  const ofFolder = (source: OpenSource) => epochOf(source, 0).filter((key) => key.startsWith('image-folder/'));
  t.same(ofFolder(inside), ofFolder(alone), 'the same as if the part had chosen');
  const few = await open(parts, { limit: 6 });
  const chosen = new Set(ofFolder(few).map((key) => key.replace(/#\d+$/, '')));
  t.ok(chosen.size > 1);
  t.equal(ofFolder(few).length, 3 * chosen.size, 'what was chosen is repeated');
  for (let i = 0; i < few.count; i += 4) await few.read(i, context.signal);
});

t.test('keys differ within an epoch, also of a list that has a file more than once', async (t) => {
  const root = t.testdir({ 'list.csv': `path\n${'a.jpg\nb.jpg\n'.repeat(3)}`, 'other.csv': 'path\nc.jpg\n' });
  const list = (name: string) => manifest({ file: join(root, name) });
  const parts = [
    { source: list('list.csv'), weight: 9 },
    { source: list('other.csv'), weight: 1 },
  ];
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 10, max: 90 }), fc.nat(4), async (samples, epoch) => {
      const keys = epochOf(await open(parts, { samples }), epoch);
      t.equal(new Set(keys).size, samples);
    }),
    { numRuns: 30 },
  );
});

t.test('a choice that leaves nothing of a part says of which', async (t) => {
  const one = numbered({ count: 1, name: 'one' });
  const part = partOf('one/0.png', 9);
  await t.rejects(open([{ source: a }, { source: one, name: 'few' }], { without: `${part}/9` }), {
    code: 'SELECTION_EMPTY',
    message: /few: .*1 sample of the source/,
  });
});

t.test(
  'a run: shuffled epochs of the shares, each another; begun anew at any position it goes on as it would have',
  async (t) => {
    const chain = pipeline(
      mixture({
        parts: [
          { source: a, weight: 1 },
          { source: b, weight: 3, name: 'b' },
        ],
      }),
    );
    const keysFrom = async (start: number) => {
      const keys: string[] = [];
      for await (const { key, epoch } of chain.samples({ epochs: 3, shuffle: true, start }) as AsyncIterable<{
        key: string;
        epoch: number;
      }>)
        keys.push(`${epoch}:${key}`);
      return keys;
    };
    const all = await keysFrom(0);
    t.equal(all.length, 120);
    t.equal(new Set(all).size, 120);
    for (const start of [1, 39, 40, 97]) t.same(await keysFrom(start), all.slice(start));
    const own = (epoch: number) => all.filter((key) => key.startsWith(`${epoch}:numbered/`)).map((key) => key.slice(2));
    t.equal(own(0).length, 10);
    t.equal(new Set([0, 1, 2].flatMap(own)).size, 30, 'three epochs of ten meet all thirty');
  },
);

t.test('labels mean the same classes, or it is an error; what one part alone has is left out', async (t) => {
  const root = t.testdir();
  await labelledFolder(join(root, 'one'), 2);
  await labelledFolder(join(root, 'other'), 3);
  writeFiles(root, {
    'list.csv': 'path,label,score\none/a/0.png,b,1\none/b/0.png,a,2\n',
    'strange.csv': 'path,label\none/a/0.png,x\n',
  });
  const folder = (name: string) => imageFolder({ path: join(root, name), labels: true });
  const list = (file: string, options = {}) => manifest({ file: join(root, file), labels: true, ...options });
  const same = await open([{ source: folder('one') }, { source: folder('other') }]);
  t.same(same.classNames, ['a', 'b', 'c']);
  t.same(same.classCounts, [5, 5, 5]);
  t.equal(same.key(6), 'image-folder-2/a/0.png');
  for (const index of [0, 5, 6, 14]) t.equal(same.label?.(index), (await same.read(index, context.signal)).label);
  const half = await open([{ source: folder('one') }, { source: folder('other') }], { limit: 7 });
  t.equal(
    half.classCounts?.reduce((sum, count) => sum + count),
    7,
  );
  const fewer = await open([
    { source: list('list.csv', { fields: { score: { dtype: 'int32' } } }) },
    { source: folder('one') },
  ]);
  t.same(fewer.classNames, ['a', 'b', 'c'], 'the last classes may be missing');
  t.same(Object.keys(await fewer.read(0, context.signal)).toSorted(), ['bytes', 'label']);
  t.equal((await fewer.read(0, context.signal)).label, 1);
  t.equal(fewer.file?.(0), join(root, 'one/a/0.png'));
  await t.rejects(open([{ source: folder('one') }, { source: list('strange.csv') }]), {
    code: 'MIXTURE_CLASSES',
    message: /manifest has others than image-folder: .*x/,
  });
  const unlabelled = await open([{ source: folder('one') }, { source: imageFolder(join(root, 'other')) }]);
  t.equal(unlabelled.classNames, undefined);
  t.same(Object.keys(await unlabelled.read(0, context.signal)), ['bytes']);
});

t.test('a part that cannot be opened leaves none open', async (t) => {
  const closed: string[] = [];
  const noting = (name: string, fails = false): Source => ({
    source: {
      name,
      options: {},
      definition: {
        ...a.source.definition,
        name,
        async open(_options: never, given: never) {
          if (fails) throw new Error('cannot be opened');
          const source = await a.source.definition.open(a.source.definition.options.parse({ count: 3 }), given);
          return { ...source, close: async () => void closed.push(name) };
        },
      } as never,
    },
  });
  const raw = (parts: Parts) => mixture.definition.open({ parts } as never, context);
  await t.rejects(raw([{ source: noting('x') }, { source: noting('y', true) }]), /cannot be opened/);
  t.same(closed, ['x']);
  await t.rejects(
    raw([
      { source: noting('x'), weight: 1e9 },
      { source: noting('y'), weight: 1 },
    ]),
    { code: 'MIXTURE_SHARE' },
  );
  t.same(closed.splice(0).toSorted(), ['x', 'x', 'y']);
  const source = await raw([{ source: noting('x') }, { source: noting('y') }]);
  await source.close!();
  t.same(closed, ['x', 'y']);
});

t.test('evaluation passes over each part once, whatever the weights and `samples`', async (t) => {
  const root = t.testdir();
  await labelledFolder(root, 2);
  const folder = imageFolder({ path: root, repeat: 3 });
  const { source } = resolved(
    mixture({
      parts: [
        { source: folder, weight: 5 },
        { source: imageFolder(root), weight: 1 },
      ],
      samples: 70,
    }),
  );
  const { definition, options } = source!;
  t.equal((await definition.open(options, context)).count, 70);
  const once = await definition.open(definition.once!(options), context);
  t.equal(once.count, 12);
  t.equal(new Set(epochOf(once, 0)).size, 12);
});

t.test('what is wrong is said before anything is opened', (t) => {
  const told = (value: unknown) => resolved(mixture({ parts: value } as never)).problems.join('\n');
  const folder = imageFolder('./photos');
  t.match(told([{ source: folder }]), /parts.*at least 2/);
  t.match(told([{ source: folder, weight: 0 }, { source: folder }]), /weight.*above 0/);
  t.match(told([{ source: folder, weight: 2 }, { source: folder }]), /MIXTURE_WEIGHTS: .*1 of 2/);
  t.match(
    told([
      { source: folder, name: 'x' },
      { source: folder, name: 'x' },
    ]),
    /MIXTURE_NAMES: .*x twice/,
  );
  t.match(
    told([{ source: folder }, { source: idx({ images: './x' }) }]),
    /MIXTURE_FIELDS: .*bytes of image-folder, picture of idx/,
  );
  t.match(
    told([{ source: folder }, { source: mixture({ parts: [{ source: folder }, { source: folder }] }) }]),
    /MIXTURE_NESTED/,
  );
  t.match(
    told([{ source: folder }, { source: imageFolder({ path: './x', label: true } as never) }]),
    /OPTION_UNKNOWN.*label.*labels/,
  );
  t.match(told([{ source: folder }, { source: './photos' }]), /source.*must be a source, as `image-folder/);
  t.end();
});

t.test('a part that does not say what its samples hold is told by its name and place', (t) => {
  const silent = defineSource({
    name: 'silent',
    summary: 'Gives no spec.',
    options: z.strictObject({}),
    spec: () => undefined as never,
    open: () => t.fail('opened') as never,
  });
  const problems = new Problems({ origin: undefined, file: undefined });
  const parts = [{ source: a }, { source: silent() }, { source: b, name: 'b' }, { source: silent(), name: 'mine' }];
  checkSource(mixture({ parts }), ['source'], problems);
  t.match(
    problems.list.map(({ error }) => error.message),
    [/^MIXTURE_SPEC: .*no spec of silent, part 2\. .*`spec`/, /^MIXTURE_SPEC: .*no spec of mine, part 4\. /],
  );
  t.equal(problems.list.length, 2, 'and nothing else');
  t.end();
});

t.test(
  'in a file: parts are looked up, paths start at the file, options are set by number, results are those of one job in parts',
  async (t) => {
    const root = t.testdir();
    await pictureFolder(join(root, 'one'), 9);
    await pictureFolder(join(root, 'two'), 5, 0.5);
    const job = (parts: string) =>
      `source:\n  mixture:\n${parts}stages: [{ decode: { maxFailures: 100% } }, resize: 8]\nsink: jsonl\noutput: out\n`;
    const parts =
      '    - { source: { image-folder: { path: ./one } }, weight: 2 }\n    - source: { image-folder: ./two }\n      weight: 1\n      name: two\n';
    writeFiles(root, {
      'job.yaml': job(parts),
      'below/over.yaml': 'extends: ../job.yaml\noutput: ../over\n',
      'slip.yaml': job(parts.replace('image-folder: ./two', 'image-foldr: ./two').replace('path: ./one', 'pth: ./one')),
      'missing.yaml': job(parts.replace('./two', './three')),
    });
    const keysIn = (folder: string, name = 'job') =>
      readFileSync(join(root, folder, `jsonl/${name}-00000.jsonl`), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).key as string);
    const run = async (...args: string[]) => {
      const { code, err, out } = await patchstream(['run', ...args]);
      t.equal(code, 0, err + out);
      return out;
    };
    await run(join(root, 'job.yaml'));
    const whole = keysIn('out');
    t.ok(whole.some((key) => key.startsWith('image-folder/')) && whole.some((key) => key.startsWith('two/')));
    t.match(JSON.parse(readFileSync(join(root, 'out/pipeline.json'), 'utf8')).source, {
      mixture: { parts: [{ source: { 'image-folder': { path: './one' } }, weight: 2 }, { name: 'two' }] },
    });
    await run(join(root, 'below/over.yaml'));
    t.same(keysIn('over', 'over'), whole);
    await run(join(root, 'job.yaml'), '--set', 'source.parts.1.weight=6', '--set', `output=${join(root, 'other')}`);
    const two = (keys: readonly string[]) => keys.filter((key) => /^two[#/]/.test(key)).length;
    t.equal(two(keysIn('other')), 2 * two(whole), 'ten of five samples, of which some are broken');
    t.match(await patchstream(['check', join(root, 'job.yaml'), '--set', 'source.parts.1.source.maxBytes=0']), {
      code: 2,
      err: /maxBytes/,
    });
    writeFiles(root, {
      'null.yaml': job(parts.replace('weight: 2', 'weight: null').replace('weight: 1', 'weight: null')),
    });
    t.match(await patchstream(['check', join(root, 'null.yaml')]), { code: 0 }, 'as if it were not said');
    const slip = await patchstream(['check', join(root, 'slip.yaml')]);
    t.equal(slip.code, 2);
    t.match(slip.err, /slip\.yaml:3:.*pth.*path/);
    t.match(slip.err, /slip\.yaml:4:.*image-foldr.*image-folder/);
    t.match(await patchstream(['run', join(root, 'missing.yaml')]), { err: /three/ });
    rmSync(join(root, 'out'), { recursive: true });
    for (const part of ['1/3', '2/3', '3/3']) await run(join(root, 'job.yaml'), '--part', part);
    t.same(
      ['1', '2', '3'].flatMap((i) => keysIn('out', `job-${i}of3`)),
      whole,
    );
  },
);
