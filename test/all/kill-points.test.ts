import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { compareNumbered } from '../kit/runs/compared-vectors.ts';
import { killedAt, killPoints, typescript, vectorsKilledAt } from '../kit/runs/kill-points.ts';

t.test('a job that is killed anywhere and begun again gives the same shards, each sample once', (t) =>
  killedAt(t, killPoints),
);

for (const sink of ['parquet', 'npy'] as const)
  t.test(`${sink}: a job that is killed anywhere and begun again gives the same files, each sample once`, (t) =>
    vectorsKilledAt(t, sink, killPoints),
  );

t.test('vectors: a comparison that is killed anywhere and begun again has compared each pair once', async (t) => {
  const folder = t.testdir({});
  const recordOf = (output: string) => readFileSync(join(output, 'compared.jsonl'), 'utf8');
  const undisturbed = join(folder, 'undisturbed');
  const expected = await compareNumbered(undisturbed);
  for (const [point, nth] of [
    ['record to be named', 1],
    ['record named', 1],
    ['block to be written', 1],
    ['block to be written', 4],
    ['block written in part', 1],
    ['block written in part', 3],
    ['block written', 2],
    ['block synced', 2],
    ['block synced', 6],
  ] as const) {
    const output = join(folder, `${point}-${nth}`.replaceAll(' ', '-'));
    const args = [...typescript, 'test/kit/runs/killed-vectors.mjs', point, String(nth), output];
    const child = spawnSync(process.execPath, args, { encoding: 'utf8' });
    t.equal(child.signal, 'SIGKILL', `${point}, ${nth}: ${child.stderr.slice(-500)}`);
    t.same(await compareNumbered(output), expected, `${point}, ${nth}`);
    t.equal(recordOf(output), recordOf(undisturbed), `${point}, ${nth}: the record`);
  }
});
