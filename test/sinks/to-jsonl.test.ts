import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { toJsonl } from '../../src/sinks/to-jsonl.ts';
import { toWebdataset } from '../../src/sinks/to-webdataset.ts';
import { webdataset } from '../../src/sources/webdataset.ts';
import { each } from '../../src/streams/stage.ts';
import { filesOf, openSource, runNumbered } from '../kit/runs/jobs.ts';

const rowsOf = (path: string) =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

t.test('a line for each sample, in order, without pictures', async (t) => {
  const output = t.testdir({});
  const more = each((sample) => ({
    ...sample,
    bytes: new Uint8Array(9),
    score: Float32Array.of(0.1, 1e-8, 16777217, Number.NaN),
    box: Int32Array.of(-1, 2),
    exact: 0.1 + 0.2,
    text: 'a\n\u2028"',
    nothing: undefined,
  }));
  const { files, done } = await runNumbered(output, toJsonl(), { count: 3, stages: [more] });
  t.same([files, done], [[join(output, 'jsonl/job-00000.jsonl')], 3]);
  t.same(rowsOf(files[0]!)[2], {
    key: 'n/2.png',
    position: 2,
    label: 2,
    score: [0.1, 1e-8, 16777216, null],
    box: [-1, 2],
    exact: 0.1 + 0.2,
    text: 'a\n\u2028"',
  });
  t.match(
    readFileSync(files[0]!, 'utf8'),
    '"score":[0.1,1e-8,16777216,null]',
    'float32 with no digits more than it has',
  );
});

t.test('files are gone on with, and are the same', async (t) => {
  const output = t.testdir({});
  const sink = toJsonl({ shardBytes: 300 });
  await runNumbered(join(output, 'a'), sink, { count: 40 });
  const expected = filesOf(join(output, 'a/jsonl'));
  t.ok(Object.keys(expected).length > 3);
  for (const name of ['finished.json', 'jsonl/job-00002.jsonl']) rmSync(join(output, 'a', name));
  const { done } = await runNumbered(join(output, 'a'), sink, { count: 40 });
  t.equal(done, 40);
  t.same(filesOf(join(output, 'a/jsonl')), expected);
  t.same(
    Object.keys(expected).flatMap((name) => rowsOf(join(output, 'a/jsonl', name)).map(({ position }) => position)),
    Array.from({ length: 40 }, (_, i) => i),
  );
});

t.test('parts lie together; what is no JSON fails its sample', async (t) => {
  const output = t.testdir({});
  for (const index of [2, 1]) await runNumbered(output, toJsonl(), { count: 9, part: { index, of: 2 } });
  t.same(readdirSync(join(output, 'jsonl')), [
    'job-1of2-00000.jsonl',
    'job-1of2.jsonl.job',
    'job-2of2-00000.jsonl',
    'job-2of2.jsonl.job',
  ]);
  const big = each((sample) => ({ ...sample, big: sample.position === 1 ? 1n : 0 }));
  const { done, failures } = await runNumbered(join(output, 'big'), toJsonl(), { count: 4, stages: [big] });
  t.same([done, failures], [3, 1]);
  t.match(rowsOf(join(output, 'big/quarantine.jsonl')), [{ key: 'n/1.png', error: /RECORD_FIELD.*big/ }]);
});

const filesIn = (path: string, ending: string) =>
  readdirSync(path)
    .filter((name) => name.endsWith(ending))
    .map((name) => name.slice(0, 8));

t.test('parts of another recipe or of another source are not mixed, of tars neither', async (t) => {
  for (const [name, sink, ending] of [
    ['jsonl', toJsonl, '.jsonl'],
    ['webdataset', toWebdataset, '.tar'],
  ] as const) {
    const output = join(t.testdir({}), name);
    const path = join(output, 'together');
    const write = (index: number, more: object = {}, own = 'a', shardBytes = 4000) =>
      runNumbered(join(output, own), sink({ path, shardBytes }), { count: 30, part: { index, of: 3 }, ...more });
    await write(1);
    const before = filesOf(path);
    const other = {
      code: 'SHARDS_OTHER',
      message: new RegExp(`job-1of3\\${ending}\\.job, which was made by another recipe`),
    };
    await t.rejects(write(2, {}, 'a', 5000), other);
    await t.rejects(write(2, { stages: [each((sample) => sample)] }, 'b'), other);
    await t.rejects(write(2, { name: 'm' }, 'b'), { code: 'SHARDS_OTHER' });
    t.same(filesOf(path), before, 'nothing is touched');
    await write(2, {}, 'b');
    await write(1);
    writeFileSync(join(path, `job-2of3${ending}.job`), '{"job":');
    await write(3, {}, 'a');
    t.same(
      [...new Set(filesIn(path, ending))],
      ['job-1of3', 'job-2of3', 'job-3of3'],
      'an origin that was cut says nothing',
    );
    await write(3, { fresh: true }, 'a', 5000);
  }
});

t.test('tars of parts that are read together are compared', async (t) => {
  const output = t.testdir({});
  const path = join(output, 'together');
  const write = (index: number, more: object = {}) =>
    runNumbered(join(output, 'own'), toWebdataset({ path, shardBytes: 20_000 }), {
      count: 30,
      part: { index, of: 3 },
      ...more,
    });
  const told = async (of: string | string[] = path) => {
    const lines: string[] = [];
    await openSource(webdataset.definition, { path: of }, { progress: (line) => lines.push(line) });
    // Not what is said of the way where opening takes long.
    return lines.filter((line) => !line.startsWith('indexing'));
  };
  await write(1);
  await write(3);
  t.same(await told(), ['job in 3 parts: no tar of part 2']);
  t.same(await told(join(path, 'job-1of3-00000.tar')), [], 'who names a tar wants it alone');
  await write(2);
  t.same(await told(), []);
  const origin = (part: number) => join(path, `job-${part}of3.tar.job`);
  const made = readFileSync(origin(2), 'utf8');
  // Begun at the same moment, neither finds the other.
  writeFileSync(origin(2), made.replace(/"job":"\w+"/, '"job":"another"'));
  t.same(await told(), ['job in 3 parts: part 2 was made by another recipe than part 1']);
  writeFileSync(origin(2), made.replace('"count":30', '"count":31'));
  t.same(await told(), ['job in 3 parts: part 2 was made of another source than part 1']);
  rmSync(origin(2));
  t.same(await told(), [], 'it is there, and says nothing');
  for (const part of [1, 3]) rmSync(origin(part));
  t.same(await told(), []);
});
