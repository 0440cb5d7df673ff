import { join } from 'node:path';
import t from 'tap';
import { builtin } from '../../../src/pipeline/builtin.ts';
import { checkFile } from '../../../src/pipeline/check.ts';
import { trueJson } from '../../../src/pipeline/resolve/resolved-json.ts';
import { writeFiles } from '../../kit/files/folder.ts';

/** What decides the results of a job that embeds by a model with these options, as JSON. */
async function decidesOf(root: string, options: string): Promise<string> {
  const text = `
name: vectors
source: { image-folder: { path: photos } }
stages: [decode, { resize: 16 }, { embed: { from: trained, ${options} } }]
sink: { jsonl: out }
`;
  writeFiles(root, { 'photos/a.txt': '', 'vectors.yaml': text });
  const { resolved } = await checkFile(join(root, 'vectors.yaml'), { registry: builtin });
  return JSON.stringify(trueJson(resolved!).stages.at(-1));
}

t.test('jobs of before there were precisions go on: float32 does not count among what decides', async (t) => {
  const root = t.testdir();
  const before = '{"id":"embed","embed":{"from":"trained","batch":32,"pool":"mean"}}';
  t.equal(await decidesOf(root, 'pool: mean'), before, 'as jobs have written it since `embed` exists');
  t.equal(await decidesOf(root, 'pool: mean, precision: float32'), before);
  t.equal(
    await decidesOf(root, 'pool: mean, backend: wasm, device: cpu'),
    before,
    'where it is computed decides nothing',
  );
  for (const precision of ['bfloat16', 'tf32'])
    t.not(
      await decidesOf(root, `pool: mean, precision: ${precision}`),
      before,
      'but another precision makes other vectors',
    );
  t.not(await decidesOf(root, 'pool: mean, batch: 16'), before);
  t.end();
});
