import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import { parseNpyHeader } from '../../src/formats/vectors/npy-header.ts';
import { toNpy } from '../../src/sinks/to-npy.ts';
import { defineStage } from '../../src/stages/stage.ts';
import { each } from '../../src/streams/stage.ts';
import type { Spec } from '../../src/vision/spec.ts';
import { filesOf, runNumbered } from '../kit/runs/jobs.ts';

const origin = { from: './runs/a', pool: 'mean', fingerprint: 'f00d' };

const vectors = defineStage({
  name: 'vectors',
  summary: 'Adds vectors.',
  options: z.strictObject({ shape: z.array(z.int()).default([3]) }),
  needs: [],
  output: (spec: Spec, { shape }): Spec => ({
    ...spec,
    fields: { ...spec.fields, embedding: { dtype: 'float32', shape, origin } },
  }),
  run:
    ({ shape }) =>
    (sample: { readonly position: number }) => ({
      ...sample,
      embedding: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => sample.position + i / 10),
    }),
});

const arrayOf = (path: string) => {
  const bytes = readFileSync(path);
  const header = parseNpyHeader(bytes);
  if (typeof header === 'string') throw new Error(header);
  return { ...header, values: [...new Float32Array(new Uint8Array(bytes.subarray(header.offset)).buffer)] };
};
const linesOf = (path: string) =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

t.test('an array of all vectors, and beside it a line for each with its key and its other fields', async (t) => {
  const output = t.testdir({});
  const { files } = await runNumbered(output, toNpy(), { count: 2, stages: [vectors()] });
  t.same(files, [join(output, 'npy/job-00000.npy')]);
  const f = Math.fround;
  t.same(arrayOf(files[0]!), {
    dtype: '<f4',
    shape: [2, 3],
    offset: 192,
    values: [0, f(0.1), f(0.2), 1, f(1.1), f(1.2)],
  });
  t.same(linesOf(join(output, 'npy/job-00000.jsonl')), [
    { vectors: { field: 'embedding', origin } },
    { key: 'n/0.png', position: 0, label: 0 },
    { key: 'n/1.png', position: 1, label: 1 },
  ]);
  const patches = await runNumbered(join(output, 'p'), toNpy(), { count: 2, stages: [vectors({ shape: [2, 2] })] });
  t.same(arrayOf(patches.files[0]!).shape, [2, 2, 2]);
});

t.test(
  'a chain without the field is refused; a sample without it fails; another width begins another array',
  async (t) => {
    const output = t.testdir({});
    await t.rejects(runNumbered(output, toNpy(), { count: 2 }), { message: /FIELD_MISSING.*npy.*embedding/ });
    await t.rejects(runNumbered(output, toNpy({ field: 'label' }), { count: 2 }), {
      message: /FIELD_MISSING.*float32/,
    });
    const some = each((sample) => ({
      ...sample,
      ...(sample.position !== 1 && { embedding: new Float32Array(sample.position < 3 ? 2 : 5) }),
    }));
    const { done, failures } = await runNumbered(join(output, 'some'), toNpy(), { count: 5, stages: [some] });
    t.same([done, failures], [4, 1]);
    t.match(linesOf(join(output, 'some/quarantine.jsonl')), [{ key: 'n/1.png', error: /NPY_FIELD.*got nothing/ }]);
    t.same(
      ['0', '1'].map((i) => arrayOf(join(output, `some/npy/job-0000${i}.npy`)).shape),
      [
        [2, 2],
        [2, 5],
      ],
    );
  },
);

t.test('arrays and their files of keys are resumed together, and are the same; parts lie together', async (t) => {
  const output = t.testdir({});
  const sink = toNpy({ shardBytes: 300 });
  const run = (name: string, more = {}) =>
    runNumbered(join(output, name), sink, { count: 30, stages: [vectors()], ...more });
  await run('a');
  const expected = filesOf(join(output, 'a/npy'));
  t.equal(Object.keys(expected).length, 8);
  const gone = {
    'an array': () => rmSync(join(output, 'a/npy/job-00001.npy')),
    'its keys': () => rmSync(join(output, 'a/npy/job-00002.jsonl')),
    'keys that were cut': () => truncateSync(join(output, 'a/npy/job-00000.jsonl'), 9),
  };
  for (const [what, remove] of Object.entries(gone)) {
    rmSync(join(output, 'a/finished.json'));
    remove();
    await run('a');
    t.same(filesOf(join(output, 'a/npy')), expected, what);
  }
  for (const index of [2, 1]) await run('b', { part: { index, of: 2 } });
  const all = (folder: string, ending: string) => {
    const names = readdirSync(join(output, folder, 'npy')).filter((name) => name.endsWith(ending));
    return names.map((name) => join(output, folder, 'npy', name));
  };
  const rows = (folder: string) => all(folder, '.jsonl').flatMap((path) => linesOf(path).slice(1));
  t.same(rows('b'), rows('a'));
  t.same(
    all('b', '.npy').flatMap((path) => arrayOf(path).values),
    all('a', '.npy').flatMap((path) => arrayOf(path).values),
  );
});

t.test("somebody's file under the name of one of keys is not touched", async (t) => {
  const output = t.testdir({ npy: { 'job-00000.jsonl': 'mine' } });
  await t.rejects(runNumbered(output, toNpy(), { count: 2, stages: [vectors()] }), { code: 'SHARDS_OTHER' });
  t.equal(readFileSync(join(output, 'npy/job-00000.jsonl'), 'utf8'), 'mine');
  writeFileSync(join(output, 'npy/other.jsonl'), 'x');
  rmSync(join(output, 'npy/job-00000.jsonl'));
  await runNumbered(output, toNpy(), { count: 2, stages: [vectors()] });
  t.equal(readFileSync(join(output, 'npy/other.jsonl'), 'utf8'), 'x', 'nor are others');
});
