import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { z } from 'zod';
import { idx, imageFolder } from '../../src/sources/index.ts';
import type { OpenSource } from '../../src/sources/open-source.ts';
import { partOf, type Selection, selected } from '../../src/sources/selection.ts';
import { defineSource } from '../../src/sources/source.ts';
import { labelledFolder, pictureFolder, writeFiles } from '../kit/files/folder.ts';
import { patchstream } from '../kit/runs/terminal.ts';

const listed = (keys: readonly string[], subjects?: readonly string[]): OpenSource<{ n: number }> => ({
  count: keys.length,
  key: (index) => keys[index]!,
  ...(subjects && { subject: (index: number) => subjects[index]! }),
  read: (n) => ({ n }),
});
const keysOf = (source: OpenSource<{ n: number }>) =>
  Array.from({ length: source.count }, (_, index) => source.key(index));
const chosen = (keys: readonly string[], selection: Selection) => {
  try {
    return keysOf(selected(listed(keys), selection));
  } catch {
    return [];
  }
};
const keys = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 200 });
const context = { base: process.cwd(), signal: new AbortController().signal, progress: () => {} };

t.test('vector: the part of a key, as another program computes it', (t) => {
  t.same(
    ['cats/one.jpg', 'cats/two.jpg', 'a', ''].map((key) => partOf(key, 10)),
    [2, 8, 9, 2],
  );
  t.end();
});

t.test('`together`: what has the first parts of its key in common is in one fold, whatever the source says', (t) => {
  const all = Array.from({ length: 60 }, (_, i) => `p${i >> 2}.jpg/${i % 4}`);
  const subjects = all.map((_, i) => `s${i}`);
  const fold = keysOf(selected(listed(all, subjects), { fold: '1/3', together: 1 }));
  t.same(
    fold,
    all.filter((key) => partOf(key.split('/')[0]!, 3) === 1),
  );
  t.ok(fold.length > 0 && fold.length % 4 === 0);
  const rest = keysOf(selected(listed(all, subjects), { without: '1/3', together: 1 }));
  t.equal(fold.length + rest.length, 60);
  t.same(chosen(all, { fold: '1/3', together: 2 }), chosen(all, { fold: '1/3' }), 'both parts are the whole key');
  const check = imageFolder.definition.check!;
  const wrong = [...check({ path: '.', together: 1, limit: 5 } as never)].map(({ option, error }) => [
    option,
    error.code,
  ]);
  t.same(wrong, [['together', 'SELECTION_TOGETHER']], 'without folds it would be ignored');
  t.same([...check({ path: '.', together: 1, without: '1/5' } as never)], []);
  t.end();
});

t.test(
  'the folds are disjoint and together all, in listing order; `without` is the rest; nothing moves where samples are added',
  (t) => {
    fc.assert(
      fc.property(keys, fc.integer({ min: 2, max: 12 }), (all, of) => {
        const folds = Array.from({ length: of }, (_, i) => chosen(all, { fold: `${i + 1}/${of}` }));
        t.same(folds.flat().toSorted(), all.toSorted());
        for (const [i, fold] of folds.entries()) {
          const rest = chosen(all, { without: `${i + 1}/${of}` });
          t.same(
            all.filter((key) => fold.includes(key) || rest.includes(key)),
            all,
          );
          t.equal(fold.length + rest.length, all.length);
          t.same(
            fold,
            all.filter((key) => fold.includes(key)),
          );
          const more = ['new', ...all, 'newer'].filter((key, place, list) => list.indexOf(key) === place);
          const grown = chosen(more, { fold: `${i + 1}/${of}` });
          t.same(
            grown.filter((key) => all.includes(key)),
            fold,
          );
        }
      }),
      { numRuns: 20 },
    );
    t.end();
  },
);

t.test('fewer are always among more, and as many as were asked for', (t) => {
  fc.assert(
    fc.property(keys, fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 100 }), (all, one, other) => {
      const [few, many] = [one, other].toSorted((a, b) => a - b).map((limit) => chosen(all, { limit }));
      t.equal(few!.length, Math.min(Math.min(one, other), all.length));
      t.ok(few!.every((key) => many!.includes(key)));
    }),
    { numRuns: 50 },
  );
  t.end();
});

t.test('vector: what a limit takes; of that each fold has its share', (t) => {
  t.same(chosen(['cats/one.jpg', 'cats/two.jpg', 'a', 'b'], { limit: 2 }), ['a', 'b']);
  const all = Array.from({ length: 10_000 }, (_, i) => `train/${i}.jpg`);
  const limited = chosen(all, { limit: 1000 });
  for (let part = 1; part <= 10; part++) {
    // Five standard deviations of a binomial of 1,000 and 0.1.
    const found = limited.filter((key) => partOf(key, 10) === part).length;
    t.ok(Math.abs(found - 100) < 48, `${found} in part ${part}`);
  }
  t.end();
});

t.test('classes are counted anew among what is chosen, so that one that has become empty is known', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(3), { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 40 }),
      (labels, limit) => {
        const source = {
          ...listed(labels.map((_, i) => `k${i}`)),
          classNames: ['a', 'b', 'c', 'd'],
          classCounts: [9, 9, 9, 9],
          label: (index: number) => labels[index]!,
        };
        const { count, label, classCounts } = selected(source, { limit }, 2);
        const counts = [0, 0, 0, 0];
        for (let i = 0; i < count; i++) counts[label!(i)]!++;
        t.same(classCounts, counts);
      },
    ),
    { numRuns: 30 },
  );
  t.end();
});

t.test('about as many are in each fold as there should be', (t) => {
  const all = Array.from({ length: 10_000 }, (_, i) => `train/${i}.jpg`);
  for (const fold of [1, 5, 10]) {
    const found = chosen(all, { fold: `${fold}/10` }).length;
    // Five standard deviations of a binomial of 10,000 and 0.1.
    t.ok(Math.abs(found - 1000) < 150, String(found));
  }
  t.end();
});

t.test('samples of one subject stay together; fields, files and repeats are those of the samples', (t) => {
  const subjects = Array.from({ length: 60 }, (_, i) => `person ${i % 12}`);
  const source = {
    ...listed(
      subjects.map((_, i) => String(i)),
      subjects,
    ),
    file: (index: number) => `/data/${index}`,
  };
  const one = selected(source, { fold: '1/3' }, 2);
  const people = new Set(keysOf(one).map((key) => subjects[Number(key.split('#')[0])]));
  t.equal(one.count, 2 * 5 * people.size);
  for (const index of [0, one.count / 2, one.count - 1]) {
    const [key, pass] = one.key(index).split('#');
    t.equal(Number(pass), index < one.count / 2 ? 0 : 1);
    t.same(one.read(index, context.signal), { n: Number(key) });
    t.equal(one.file?.(index), `/data/${key}`);
    t.equal(one.subject?.(index), subjects[Number(key)]);
  }
  t.throws(() => selected(listed(['a']), { fold: '1/2', without: '1/2' }), { code: 'SELECTION_EMPTY' });
  t.throws(() => selected({ ...listed(['a']), count: Number.POSITIVE_INFINITY }, { limit: 1 }), {
    code: 'SELECTION_ENDLESS',
  });
  t.end();
});

t.test(
  'of a folder: labels and classes stay, a repeat repeats what was chosen, and raw records are those of the samples',
  async (t) => {
    const root = t.testdir();
    await labelledFolder(join(root, 'classes'), 8);
    const open = (options: object) => {
      const { source } = imageFolder({ path: join(root, 'classes'), labels: true, ...options });
      return source.definition.open(source.definition.options.parse(source.options) as never, context);
    };
    const [whole, half] = [await open({}), await open({ fold: '1/2', repeat: 3 })];
    t.same(half.classNames, whole.classNames);
    t.equal(half.count % 3, 0);
    const labels = new Map<string, unknown>();
    for (let i = 0; i < whole.count; i++) labels.set(whole.key(i), (await whole.read(i, context.signal)).label);
    for (let i = 0; i < half.count; i++)
      t.equal((await half.read(i, context.signal)).label, labels.get(half.key(i).replace(/#\d$/, '')));
    const images = Buffer.concat([Buffer.from([0, 0, 8, 3, 0, 0, 0, 20, 0, 0, 0, 2, 0, 0, 0, 2]), Buffer.alloc(80)]);
    for (let i = 0; i < 80; i++) images[16 + i] = i >> 2;
    mkdirSync(join(root, 'idx'));
    writeFileSync(join(root, 'idx/images'), images);
    const { source } = idx({ images: join(root, 'idx/images'), without: '1/4', limit: 9 });
    const digits = await source.definition.open(source.definition.options.parse(source.options) as never, context);
    t.equal(digits.count, 9);
    for (let i = 0; i < 9; i++) t.equal(digits.records!.data[4 * i], Number(digits.key(i).split('/')[1]));
  },
);

t.test('in a pipeline: what is left out is counted, both halves are one file each, and slips are told', async (t) => {
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 20);
  const job = (part: string) =>
    `source: { image-folder: { path: photos, ${part} } }\nstages: [decode]\nsink: { jsonl: {} }\noutput: out-${part.replace(/\W/g, '')}\n`;
  writeFiles(root, { 'fold.yaml': job('fold: 1/4'), 'rest.yaml': job('without: 1/4'), 'slip.yaml': job('fold: 5/4') });
  const counts = [];
  for (const name of ['fold', 'rest']) {
    const { code, out } = await patchstream(['run', join(root, `${name}.yaml`)]);
    t.equal(code, 0, out);
    const [, delivered, passed] = /listed \d+ = (\d+) delivered.*?(\d+) passed over/.exec(out) ?? [];
    t.equal(Number(delivered) + Number(passed), 20, out);
    counts.push(Number(delivered));
  }
  t.equal(counts[0]! + counts[1]!, 20);
  t.match(await patchstream(['check', join(root, 'slip.yaml')]), {
    code: 2,
    err: /`fold` must be a part .*got '5\/4'/,
  });
  t.match(await patchstream(['run', join(root, 'fold.yaml'), '--watch', '--set', 'output=other']), {
    err: /WATCH_SOURCE: .*some of its samples/,
  });
});

t.test('sources of users have the options too', (t) => {
  const own = defineSource({
    name: 'own',
    summary: 'Numbers.',
    options: z.strictObject({ path: z.string() }),
    spec: () => ({ fields: {} }),
    open: async () => listed(['a', 'b', 'c']),
  });
  t.match(own({ path: 'x', fold: '1/2' }).source.options, { fold: '1/2' });
  t.end();
});
