import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { prepareWasm } from '../../src/backends/wasm/wasm.ts';
import { exportOnnx } from '../../src/runs/export-onnx.ts';
import { exportable, weightsFile } from '../kit/exported/models.ts';
import { readOnnx } from '../kit/onnx.ts';

await prepareWasm(t.comment);

t.test('a program is told what the model takes and gives, and what it may not ask', async (t) => {
  const root = t.testdir({});
  const from = await weightsFile(root, exportable[0]!);
  const output = join(root, 'model.onnx');
  const notOurs = 'sum' as 'mean';
  await t.rejects(exportOnnx({ from, output, pool: notOurs }), {
    code: 'OPTION_VALUE',
    message: /`pool` must be `mean`, `cls` or `patches`; got sum/,
  });
  const { nodes, ...made } = await exportOnnx({ from, output });
  t.same(made, {
    input: { name: 'picture', type: 'uint8', shape: ['N', 32, 32, 3] },
    answer: { name: 'embedding', type: 'float32', shape: ['N', 16] },
  });
  t.equal(readOnnx(readFileSync(output)).nodes.length, nodes);
  await t.rejects(exportOnnx({ from, output }), { code: 'EXPORT_EXISTS' });
});
