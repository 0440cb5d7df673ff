import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { installPackages } from '../../scripts/lib/node-packages.mjs';
import { run } from '../../scripts/lib/runner.mjs';
import { installVenv } from '../../scripts/lib/venv.mjs';
import { graphOf } from '../../src/backends/onnx/graph.ts';
import { Trace, withTrace } from '../../src/backends/onnx/trace.ts';
import * as tf from '../../src/backends/tf.ts';
import { upload } from '../../src/backends/upload.ts';
import { prepareWasm } from '../../src/backends/wasm/wasm.ts';
import { onnxFiles } from '../../src/formats/onnx.ts';
import { onnxGraph } from '../../src/inference/onnx.ts';
import { answerOf, openTrained } from '../../src/inference/serve.ts';
import { foundTrained } from '../../src/inference/trained.ts';
import { exportable, exportedPictures, weightsFile } from '../kit/exported/models.ts';
import { operations } from '../kit/exported/operations.ts';
import { gradient, jpeg } from '../kit/pictures/pictures.ts';
import { patchstream } from '../kit/runs/terminal.ts';
import { readings } from '../kit/training/tensors.ts';

const script = `
import json, sys
import numpy, onnx, onnxruntime
onnxruntime.set_default_logger_severity(3)
for case in json.load(open(sys.argv[1])):
    path = case['path']
    onnx.checker.check_model(path, full_check=True)
    model = onnx.shape_inference.infer_shapes(onnx.load(path), check_type=True, strict_mode=True)
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    for pictures in case['pictures']:
        given = numpy.fromfile(pictures['path'], numpy.uint8).reshape(pictures['shape'])
        [answer] = session.run(None, {'picture': given})
        answer.astype(numpy.float32).tofile(pictures['answer'])
        print(json.dumps([case['name'], list(answer.shape), str(answer.dtype)]))
`;

interface Case {
  readonly name: string;
  readonly path: string;
  readonly pictures: readonly { readonly path: string; readonly shape: readonly number[]; readonly answer: string }[];
}

await prepareWasm(t.comment);

const installed = installVenv('test/engines/onnxruntime-1.31.txt', { runner: run, say: t.comment, env: process.env });
const skip = 'missing' in installed ? installed.missing : false;

/** Has onnxruntime compute the cases; the answers, in their order. */
function computed(folder: string, cases: readonly Case[]): { shape: number[]; dtype: string; values: Float32Array }[] {
  if ('missing' in installed) throw new Error(installed.missing);
  writeFileSync(join(folder, 'cases.json'), JSON.stringify(cases));
  const { status, stdout, stderr } = run(installed.python, ['-c', script, join(folder, 'cases.json')]);
  if (status !== 0) throw new Error(`${stdout.trim().split('\n').at(-1)}: ${stderr}`);
  const files = cases.flatMap(({ pictures }) => pictures.map(({ answer }) => answer));
  return stdout
    .trim()
    .split('\n')
    .map((line, i) => {
      const [, shape, dtype] = JSON.parse(line) as [string, number[], string];
      return { shape, dtype, values: new Float32Array(Uint8Array.from(readFileSync(files[i]!)).buffer) };
    });
}

const inBrowsers = `
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { env, InferenceSession, Tensor } from 'onnxruntime-web';
env.wasm.numThreads = 1;
for (const { name, path, pictures } of JSON.parse(readFileSync('cases.json', 'utf8'))) {
  const beside = name + '.data';
  const externalData = existsSync(beside) ? [{ path: beside, data: readFileSync(beside) }] : [];
  const session = await InferenceSession.create(readFileSync(path), { externalData });
  for (const { path, shape, answer } of pictures) {
    const made = await session.run({ picture: new Tensor('uint8', readFileSync(path), shape) });
    writeFileSync(answer, new Uint8Array(Float32Array.from(Object.values(made)[0].data, Number).buffer));
  }
}
`;

const packages = () =>
  installPackages('test/engines/onnxruntime/package.json', 'onnxruntime', {
    runner: run,
    say: t.comment,
    env: process.env,
  });

/** Has onnxruntime for browsers compute the cases of the folder, where it can be had; the answers, in their order. */
function computedAsInBrowsers(folder: string, cases: readonly Case[]): Float32Array[] {
  const installed = packages();
  if ('missing' in installed) {
    t.comment(installed.missing);
    return [];
  }
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(join(installed.folder, 'node_modules/onnxruntime-web'), join(folder, 'node_modules/onnxruntime-web'));
  writeFileSync(join(folder, 'run.mjs'), inBrowsers);
  const { status, stderr } = run(process.execPath, ['run.mjs'], { cwd: folder });
  if (status !== 0) throw new Error(stderr);
  const files = cases.flatMap(({ pictures }) => pictures.map(({ answer }) => answer));
  return files.map((file) => new Float32Array(Uint8Array.from(readFileSync(file)).buffer));
}

/** The largest difference, of numbers of about this size. */
function farthest(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  let most = found.length === expected.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < expected.length; i++) {
    const far = Math.abs(found[i]! - expected[i]!) / Math.max(1, Math.abs(expected[i]!));
    most = Math.max(most, Number.isNaN(far) ? Number.POSITIVE_INFINITY : far);
  }
  return most;
}

/** Others than those of the recordings. */
const counts = [1, 7];

t.test('onnxruntime computes of each model what it computes here', { skip }, async (t) => {
  const root = t.testdir({});
  const cases: Case[] = [];
  const expected: Float32Array[] = [];
  for (const one of exportable) {
    const trained = foundTrained(await weightsFile(root, one), root);
    const graph = await onnxGraph(trained, { pool: one.pool, version: '0', note: t.comment });
    const path = join(root, `${one.name}.onnx`);
    // Of one the tensors lie beside the file.
    const { model, data } = onnxFiles(graph, `${one.name}.data`, one.name === 'mae' ? 0 : undefined);
    writeFileSync(path, Buffer.concat([...model]));
    if (data !== undefined) writeFileSync(join(root, `${one.name}.data`), Buffer.concat([...data]));
    const { where, digest } = trained;
    const named = { model: trained.model, backend: 'auto', device: 'cpu', precision: 'float32' } as const;
    const opened = await openTrained({ where, digest, model: named }, t.comment);
    const photographs = await exportedPictures(Math.max(...counts), trained.size);
    const task =
      one.model === 'classifier' && one.pool === undefined
        ? ({ kind: 'predict', top: 1 } as const)
        : one.model === 'tokenizer'
          ? ({ kind: 'tokenize' } as const)
          : ({ kind: 'embed', pool: one.pool ?? 'mean' } as const);
    const pictures = counts.map((count) => {
      const shape = [count, ...trained.size, 3];
      const data = photographs.subarray(
        0,
        shape.reduce((a, b) => a * b),
      );
      const given = join(root, `${one.name}-${count}.bytes`);
      writeFileSync(given, data);
      expected.push(
        readings(() => {
          const picture = upload({ dtype: 'uint8', shape, data });
          return Float32Array.from(answerOf(opened.model, task, { params: opened.params, picture }).dataSync());
        }),
      );
      return { path: given, shape, answer: join(root, `${one.name}-${count}.answer`) };
    });
    opened.dispose();
    cases.push({ name: one.name, path, pictures });
  }
  const check = (where: string, i: number, values: Float32Array) => {
    const count = counts[i % counts.length];
    const far = farthest(values, expected[i]!);
    t.ok(far < 1e-5, `${where}, ${cases[Math.floor(i / counts.length)]!.name} of ${count}: ${far.toExponential(1)}`);
  };
  for (const [i, { shape, values }] of computed(root, cases).entries()) {
    check('Python', i, values);
    t.equal(shape[0], counts[i % counts.length]);
  }
  for (const [i, values] of computedAsInBrowsers(root, cases).entries()) check('browsers', i, values);
});

t.test('onnxruntime computes of operations what tfjs computes', { skip }, async (t) => {
  await tf.setBackend('cpu');
  const root = t.testdir({});
  const parameter = tf.variable(tf.tensor1d([0.1, 0.5, 0.9]));
  const cases: Case[] = [];
  const expected: Float32Array[] = [];
  for (const [name, operation] of Object.entries(operations)) {
    const compute = (x: tf.Tensor) => operation(x as tf.Tensor4D, parameter as tf.Tensor1D);
    const trace = new Trace({ weight: parameter });
    const [first, second] = withTrace(trace, () => [3, 5].map((count) => trace.record([count, 8, 6, 3], compute)));
    const { nodes, constants, answer } = graphOf([first!, second!], 'picture', 'answer');
    const weight = { name: 'weight', type: 'float32', shape: [3], bytes: bytesOf(parameter.dataSync()) } as const;
    const { model } = onnxFiles(
      {
        ...{ name, about: '', nodes, tensors: [...constants, weight], metadata: {}, version: '0' },
        inputs: [{ name: 'picture', type: 'uint8', shape: ['N', 8, 6, 3] }],
        outputs: [answer],
      },
      '',
    );
    mkdirSync(join(root, name));
    const path = join(root, name, 'model.onnx');
    writeFileSync(path, Buffer.concat([...model]));
    const pictures = counts.map((count) => {
      const shape = [count, 8, 6, 3] as const;
      const data = Uint8Array.from({ length: count * 144 }, (_, i) => (i * 7919) % 256);
      const given = join(root, name, `${count}.bytes`);
      writeFileSync(given, data);
      expected.push(
        readings(() => Float32Array.from(compute(tf.tensor4d(Float32Array.from(data), [...shape])).dataSync())),
      );
      return { path: given, shape, answer: join(root, name, `${count}.answer`) };
    });
    cases.push({ name, path, pictures });
  }
  for (const [i, { values }] of computed(root, cases).entries()) {
    const far = farthest(values, expected[i]!);
    t.ok(far < 1e-4, `${cases[Math.floor(i / counts.length)]!.name}: ${far.toExponential(1)}`);
  }
  parameter.dispose();
});

function bytesOf(values: ArrayLike<number>): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}

const page = readFileSync('docs/onnx.md', 'utf8');
const example = (language: string) => new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'm').exec(page)![1]!;

t.test('the examples of the page run', { skip }, async (t) => {
  const root = t.testdir({ 'example.py': example('python'), 'example.mjs': example('js'), node_modules: {} });
  writeFileSync(join(root, 'photo.jpg'), await jpeg(gradient(60, 40)));
  const classifier = exportable.find(({ classNames }) => classNames !== undefined)!;
  for (const [one, name] of [
    [exportable[0]!, 'encoder.onnx'],
    [classifier, 'classes.onnx'],
  ] as const) {
    const weights = await weightsFile(root, one);
    const output = join(root, name);
    const told = await patchstream(['export', weights, '--output', output]);
    t.match(told, { code: 0, out: /^picture uint8 \[N, 32, 32, 3\] to \w+ float32 \[N, \d+\], \d+ nodes: / }, told.err);
  }
  const { python } = installed as { python: string };
  const inPython = run(python, ['example.py'], { cwd: root });
  t.ok(classifier.classNames!.includes(inPython.stdout.trim()), inPython.stdout + inPython.stderr);

  const found = packages();
  if ('missing' in found) return t.comment(found.missing);
  symlinkSync(join(found.folder, 'node_modules/onnxruntime-node'), join(root, 'node_modules/onnxruntime-node'));
  symlinkSync(resolve('node_modules/sharp'), join(root, 'node_modules/sharp'));
  const inNode = run(process.execPath, ['example.mjs'], { cwd: root });
  t.match(inNode.stdout, /^\[ 1, 16 \] Float32Array\(16\)/, inNode.stderr);
});
