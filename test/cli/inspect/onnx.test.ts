import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { prepareWasm } from '../../../src/backends/wasm/wasm.ts';
import { onnxFiles } from '../../../src/formats/onnx.ts';
import { exportOnnx } from '../../../src/runs/export-onnx.ts';
import { exportable, weightsFile } from '../../kit/exported/models.ts';
import { patchstream } from '../../kit/runs/terminal.ts';

await prepareWasm(t.comment);

t.test('a file of ONNX: what it takes and gives, what it consists of, what it says of its model', async (t) => {
  const root = t.testdir({});
  const path = join(root, 'Classes.ONNX');
  const from = await weightsFile(root, exportable.find(({ name }) => name === 'classifier-lomar')!);
  const { nodes } = await exportOnnx({ from, output: path });
  const told = await patchstream(['inspect', path, '--verify']);
  t.match(told, { code: 0, err: '' });
  for (const line of [
    new RegExp(`^Classes\\.ONNX +${nodes} nodes, \\d+ tensors, [\\d,]+ values, \\d+\\.\\d KiB$`, 'm'),
    /^made by +patchstream \d/m,
    /^format +version 8, operators ai\.onnx 17$/m,
    /^input +picture uint8 \[N, 32, 32, 3\]$/m,
    /^output +logits float32 \[N, 3\]$/m,
    /^operations +[A-Z]\w+ \d+, .*LayerNormalization 5/m,
    /^types +(float32|int64)/m,
    /^patchstream\.size +\[32,32\]$/m,
    /^patchstream\.labels +\["a","é",/m,
    /^sha256 +[0-9a-f]{64}$/m,
  ])
    t.match(told.out, line);
  const json = JSON.parse((await patchstream(['inspect', path, '--json'])).out);
  t.match(json, { name: 'Classes.ONNX', nodes, inputs: [{ shape: ['N', 32, 32, 3] }], problems: [] });
  t.equal(
    Object.values(json.operations as Record<string, number>).reduce((a, b) => a + b),
    nodes,
  );

  writeFileSync(path, readFileSync(path).subarray(0, 5000));
  t.match(await patchstream(['inspect', path]), {
    code: 1,
    out: '',
    err: /^ONNX_DAMAGED: .*Classes\.ONNX.*at byte \d+/,
  });
});

t.test('the file beside it with its tensors must be there, and whole; texts reach the terminal escaped', async (t) => {
  const root = t.testdir({});
  const path = join(root, 'a.onnx');
  const tensors = [{ name: 'w', type: 'float32', shape: [500], bytes: new Uint8Array(2000) }] as const;
  const none = { nodes: [], inputs: [], outputs: [], metadata: {}, version: '0' };
  const { model, data } = onnxFiles({ name: '', about: '\u001b[31mred', tensors, ...none }, 'a.onnx.data', 100);
  writeFileSync(path, Buffer.concat([...model]));
  const beside = join(root, 'a.onnx.data');
  writeFileSync(beside, Buffer.concat([...data!]));
  const told = await patchstream(['inspect', path]);
  t.match(told, { code: 0, err: '', out: /^data +a\.onnx\.data 2\.0 KiB$/m });
  t.match(told.out, /\\u\{1b\}\[31mred/);
  writeFileSync(beside, 'x');
  t.match(await patchstream(['inspect', path]), { code: 1, err: /a\.onnx\.data, .* was cut: 1 B of 2\.0 KiB\./ });
  rmSync(beside);
  t.match(await patchstream(['inspect', path]), { code: 1, err: /a\.onnx\.data, .*is not beside it\./ });
  const far = onnxFiles({ name: '', about: '', tensors, ...none }, 'a'.repeat(300), 100);
  writeFileSync(path, Buffer.concat([...far.model]));
  t.match(await patchstream(['inspect', path]), { code: 1, err: /a{300}, .*cannot be looked at: / });
});
