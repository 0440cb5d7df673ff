import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import * as tf from '../../src/backends/tf.ts';
import { prepareWasm } from '../../src/backends/wasm/wasm.ts';
import { onnxFiles } from '../../src/formats/onnx.ts';
import { decodeSafetensors, floatsOf } from '../../src/formats/safetensors.ts';
import { type OnnxOptions, onnxGraph } from '../../src/inference/onnx.ts';
import { foundTrained } from '../../src/inference/trained.ts';
import { buildModel } from '../../src/models/index.ts';
import { type Exported, exportable, weightsFile } from '../kit/exported/models.ts';
import { readOnnx } from '../kit/onnx.ts';

await prepareWasm(t.comment);
const root = t.testdir({});
const options = { version: '0', note: () => {} };

async function exported(one: Exported, more: Partial<OnnxOptions> = {}) {
  const path = await weightsFile(root, one);
  const trained = foundTrained(path, root);
  const graph = await onnxGraph(trained, { ...options, pool: one.pool, ...more });
  return { trained, path, read: readOnnx(Buffer.concat([...onnxFiles(graph, 'data').model])) };
}

const answers: Readonly<Record<string, readonly [string, number, readonly (number | string)[]]>> = {
  lomar: ['embedding', 1, ['N', 16]],
  'lomar-absolute': ['embedding', 1, ['N', 16, 16]],
  classifier: ['logits', 1, ['N', 3]],
  'classifier-vectors': ['embedding', 1, ['N', 16]],
  'classifier-vectors-cls': ['embedding', 1, ['N', 16]],
  tokenizer: ['codes', 6, ['N', 16]],
};

t.test('each model becomes a graph of named nodes, with its own weights', async (t) => {
  for (const one of exportable) {
    const { read, trained, path } = await exported(one);
    const [name, type, shape] = answers[one.name] ?? answers[one.model] ?? answers.lomar!;
    t.same(read.inputs, [{ name: 'picture', type: 2, shape: ['N', ...trained.size, 3] }]);
    t.same(read.outputs, [{ name, type, shape }], one.name);
    t.match(read.metadata, {
      'patchstream.size': JSON.stringify(one.spec?.size ?? [32, 32]),
      'patchstream.digest': trained.digest,
    });
    t.match(JSON.parse(read.metadata['patchstream.cut']!), [{ resize: { size: one.spec?.size ?? 32, fit: 'cover' } }]);
    const labels = read.metadata['patchstream.labels'];
    const named = name === 'logits' ? one.classNames : undefined;
    t.same(labels === undefined ? undefined : JSON.parse(labels), named);

    const model = await buildModel(trained.model);
    const stored = decodeSafetensors(readFileSync(path));
    let found = 0;
    for (const parameter of model.parameters) {
      const tensor = read.tensors.get(parameter);
      if (tensor === undefined) continue;
      found++;
      const values = model.stored(parameter).fromFile(floatsOf(stored.tensors.get(parameter)!));
      t.ok(Buffer.from(values.buffer).equals(tensor.bytes!), `${one.name}: ${parameter}`);
    }
    t.ok(found > 10, `${found} parameters`);
    const left = [...read.tensors.keys()].filter((each) =>
      /^(decoder|mask_token|lr_embed|super_resolution|lm_head)/.test(each),
    );
    t.same(left, [], 'what the answer does not hang on is left out');
    if (one.model === 'tokenizer') continue;
    const names = read.nodes.map(({ name }) => name);
    t.ok(names.includes('blocks/1/attn/qkv/MatMul'), names.join(' '));
    const norms = read.nodes.filter(({ operator }) => operator === 'LayerNormalization').length;
    t.equal(norms, 5, 'two in each block and the last');
  }
});

t.test('tfjs’ backend is again the one before', async (t) => {
  const before = tf.getBackend();
  await tf.setBackend('cpu');
  await exported(exportable[0]!);
  t.equal(tf.getBackend(), 'cpu');
  await tf.setBackend(before);
});

t.test('a way of pooling is of an encoder, and a model must give something', async (t) => {
  const tokenizer = exportable.find(({ model }) => model === 'tokenizer')!;
  await t.rejects(exported(tokenizer, { pool: 'cls' }), {
    code: 'ONNX_POOL',
    message: /tokenizer gives no vectors\. Leave it out/,
  });
  const module = join(root, 'own.ts');
  const own = (name: string, more: string) => `
export const ${name} = defineModel({
  name: '${name}', summary: '', options: z.strictObject({}), fields: ['picture'],
  build: (_options, _spec, { tf }) => ({
    name: '${name}', fields: ['picture'], parameters: ['gain'],
    init: () => ({ gain: tf.variable(tf.fill([3], 0.5)) }),
    inputs: ({ picture }) => ({ picture }),
    loss: () => ({ sum: tf.scalar(0), count: 1 }),
    stored: () => ({ shape: [3], toFile: (data) => data.slice(), fromFile: (data) => data.slice() }),
    decays: () => false,
    dispose: () => {},
    ${more}
  }),
});
`;
  const encode = (work: string) => `encode: ({ gain }, { picture }) => tf.tidy(() => ${work}),`;
  writeFileSync(
    module,
    `import { defineModel } from ${JSON.stringify(resolve('src/models/define.ts'))};
import { z } from 'zod';
${own('nothing', '')}
${own('rows', encode('picture.mul(gain).reshape([picture.shape[0], 32, 96])'))}
${own('sorted', encode('tf.topk(picture.mul(gain).reshape([picture.shape[0], 32, 96]), 9).values'))}
`,
  );
  await t.rejects(exported({ name: 'nothing', model: 'nothing', module }), {
    code: 'ONNX_MODEL',
    message: /nothing does none of it/,
  });
  await t.rejects(exported({ name: 'sorted', model: 'sorted', module }), {
    code: 'ONNX_OPERATION',
    message: /got TopK: /,
  });
  const { read } = await exported({ name: 'rows', model: 'rows', module });
  t.same(read.outputs, [{ name: 'embedding', type: 1, shape: ['N', 96] }]);
  t.equal(read.metadata['patchstream.mean'], undefined, 'it normalises by itself');
});
