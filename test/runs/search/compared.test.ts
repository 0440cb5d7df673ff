import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Compared, comparedGroups } from '../../../src/runs/search/compared.ts';
import { similarVectors } from '../../../src/runs/search/similar.ts';
import { watchedVectors } from '../../../src/runs/search/watch-vectors.ts';
import { compareTo as compare, firstOf as first, head, vectors } from '../../kit/runs/compared-vectors.ts';

const linesOf = (folder: string) => readFileSync(join(folder, 'compared.jsonl'), 'utf8').trimEnd().split('\n');

t.test('vectors that come later are compared with all before them, each pair once', async (t) => {
  const folder = t.testdir({});
  const whole = await similarVectors(first(90, 7), head.above);
  t.ok(whole.list().length > 1);
  for (const [i, count] of [30, 31, 31, 64, 90].entries()) {
    const { groups, pictures } = await compare(folder, first(count, 5 + i));
    t.equal(pictures, count);
    t.same(groups, (await similarVectors(first(count, 9), head.above)).list(), `${count}`);
  }
  t.same((await comparedGroups(folder))!.list(), whole.list());
  const blocks = linesOf(folder)
    .slice(1)
    .map((line) => JSON.parse(line) as { rows: number; joins: [string, number, string, number, number][] });
  t.same(
    blocks.map(({ rows }) => rows),
    [16, 30, 31, 47, 63, 64, 80, 90],
  );
  for (const [i, { rows, joins }] of blocks.entries()) {
    const before = blocks[i - 1]?.rows ?? 0;
    t.ok(joins.every(([, row, , earlier]) => row >= before && row < rows && earlier < row));
  }
});

t.test('a record that a kill has cut anywhere is continued to the same bytes', async (t) => {
  const unbroken = t.testdir({});
  await compare(unbroken, first(90, 7));
  const bytes = readFileSync(join(unbroken, 'compared.jsonl'));
  const folder = join(unbroken, 'cut');
  mkdirSync(folder);
  for (let at = bytes.indexOf(10) + 1; at < bytes.length; at += Math.ceil(bytes.length / 12)) {
    writeFileSync(join(folder, 'compared.jsonl'), bytes.subarray(0, at));
    await compare(folder, first(90, 11));
    t.ok(readFileSync(join(folder, 'compared.jsonl')).equals(bytes), `cut at ${at}`);
  }
});

t.test('vectors that are not as they were, and another comparison, are refused', async (t) => {
  const folder = t.testdir({});
  await compare(folder, first(40, 7));
  const other = vectors.map((row, i) => (i === 20 ? row.map((value) => value + 1) : row));
  await t.rejects(compare(folder, first(90, 7, other)), { code: 'COMPARED_CHANGED' });
  await t.rejects(compare(folder, first(30, 7)), { code: 'COMPARED_CHANGED' });
  t.equal((await compare(folder, first(90, 7, other), { fresh: true })).pictures, 90);
  await t.rejects(Compared.open(folder, { ...head, above: 0.9 }), { code: 'COMPARED_OTHER' });
  await t.rejects(Compared.open(folder, { ...head, fingerprint: 'a' }), { code: 'COMPARED_OTHER' });
  writeFileSync(join(folder, 'compared.jsonl'), '{"width":6,"above":0.95}\n{"rows":"many"}\n{}\n');
  await t.rejects(comparedGroups(folder), { code: 'COMPARED_OTHER' });
  const held = await Compared.open(folder, head, { fresh: true });
  await t.rejects(Compared.open(folder, head), { code: 'RUN_BUSY' });
  await held.close();
  writeFileSync(join(folder, 'compared.jsonl'), 'of another program\n');
  await t.rejects(Compared.open(folder, head, { fresh: true }), { code: 'COMPARED_OTHER' });
  t.equal(await comparedGroups(join(folder, 'none')), undefined);
});

t.test('watched, files that arrive are compared with those before them', async (t) => {
  const root = t.testdir({ set: { jsonl: {} } });
  const write = (n: number, from: number, to: number) =>
    writeFileSync(
      join(root, `set/jsonl/job-0000${n}.jsonl`),
      vectors
        .slice(from, to)
        .map((row, i) => `${JSON.stringify({ key: `v${from + i}`, embedding: [...row] })}\n`)
        .join(''),
    );
  const stop = new AbortController();
  const compared = await Compared.open(join(root, 'out'), head);
  const counts: number[] = [];
  setImmediate(() => write(0, 0, 40));
  for await (const set of watchedVectors(join(root, 'set'), { signal: stop.signal, everyMs: 1 })) {
    await similarVectors(set, head.above, { compared });
    counts.push(compared.rows);
    if (compared.rows === 40) write(1, 40, 90);
    if (compared.rows === 90) stop.abort();
  }
  await compared.close();
  t.same([counts.at(0), counts.at(-1)], [40, 90]);
  t.same(compared.groups.list(), (await similarVectors(first(90, 9), head.above)).list());
});
