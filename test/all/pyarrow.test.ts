import { join } from 'node:path';
import t from 'tap';
import { run } from '../../scripts/lib/runner.mjs';
import { installVenv } from '../../scripts/lib/venv.mjs';
import { toNpy } from '../../src/sinks/to-npy.ts';
import { toParquet } from '../../src/sinks/to-parquet.ts';
import { each } from '../../src/streams/stage.ts';
import { runNumbered } from '../kit/runs/jobs.ts';
import { origin, vectorOf, vectors } from '../kit/vectors.ts';

const script = `
import json, sys
import numpy, pyarrow.parquet as parquet
table = parquet.read_table(sys.argv[1])
said = json.loads(table.schema.metadata[b'patchstream'])
array = numpy.load(sys.argv[2] + '/job-00000.npy')
lines = open(sys.argv[2] + '/job-00000.jsonl').read().splitlines()
print(json.dumps({
    'types': {name: str(table.schema.field(name).type) for name in table.column_names},
    'rows': table.slice(0, 2).to_pylist(),
    'groups': parquet.ParquetFile(sys.argv[1] + '/job-00000.parquet').num_row_groups,
    'count': table.num_rows,
    'last': table.column('embedding')[-1].as_py(),
    'origin': said['fields']['embedding'].get('origin'),
    'array': [str(array.dtype), list(array.shape), array.flags['C_CONTIGUOUS'], array[-1].tolist(), len(lines)],
}))
`;

t.test("pyarrow and NumPy from PyPI read a job's tables and arrays", async (t) => {
  const installed = installVenv('test/engines/pyarrow-26.txt', { runner: run, say: t.comment, env: process.env });
  if ('missing' in installed) return t.pass(installed.missing, { skip: installed.missing });
  const output = t.testdir({});
  const more = each((sample) => ({
    ...sample,
    text: 'é',
    names: ['a', 'b'],
    map: { deep: [1] },
    box: Int32Array.of(1, -2),
  }));
  const stages = [more, vectors({ width: 600 })];
  await runNumbered(join(output, 'a'), toParquet(), { count: 5000, stages });
  await runNumbered(join(output, 'b'), toNpy(), { count: 300, stages });
  const answer = run(installed.python, ['-c', script, join(output, 'a/parquet'), join(output, 'b/npy')]);
  t.equal(answer.status, 0, answer.stderr);
  const found = JSON.parse(answer.stdout);
  t.same(found.types, {
    key: 'string',
    position: 'int64',
    label: 'int32',
    embedding: 'list<element: float not null>',
    text: 'string',
    names: 'list<element: string not null>',
    map: 'extension<arrow.json>',
    box: 'list<element: int32 not null>',
    other: 'extension<arrow.json>',
  });
  t.match(found.rows[1], {
    key: 'n/1.png',
    position: 1,
    text: 'é',
    names: ['a', 'b'],
    map: '{"deep":[1]}',
    box: [1, -2],
  });
  t.ok(found.groups > 1);
  t.same([found.count, found.last, found.origin], [5000, [...vectorOf(4999, 600)], origin]);
  t.same(found.array, ['float32', [300, 600], true, [...vectorOf(299, 600)], 301]);
});
