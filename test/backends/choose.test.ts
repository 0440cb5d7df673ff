import t from 'tap';
import { chooseBackend } from '../../src/backends/choose.ts';
import * as tf from '../../src/backends/tf.ts';

// Stands for tfjs-node: an object registered as tfjs' backend `tensorflow`.
function standIn(isUsingGpuDevice: boolean): void {
  if (tf.findBackendFactory('tensorflow') !== null) tf.removeBackend('tensorflow');
  tf.registerBackend('tensorflow', () => ({ isUsingGpuDevice, dispose() {} }) as unknown as tf.KernelBackend);
}

const absent = async (name: string) => {
  throw Object.assign(new Error(`Cannot find package '${name}'`), { code: 'ERR_MODULE_NOT_FOUND' });
};

t.test('auto falls to wasm and says why', async (t) => {
  const choice = await chooseBackend();
  t.match(choice, { backend: 'wasm', device: 'cpu' });
  t.equal(
    choice.why,
    'wasm on the cpu: @tensorflow/tfjs-node-gpu is not installed; @tensorflow/tfjs-node is not installed.',
  );
  t.equal(tf.getBackend(), 'wasm');
});

t.test('a package that is broken is named with its complaint, and wasm taken', async (t) => {
  const load = async () => {
    throw new Error('libtensorflow.so.2: cannot open');
  };
  t.match((await chooseBackend({}, { load })).why, /tfjs-node did not load \(libtensorflow.so.2: cannot open\)/);
});

t.test('the user’s own GPU comes first', async (t) => {
  const asked: string[] = [];
  const load = async (name: string) => {
    asked.push(name);
    standIn(true);
  };
  t.match(await chooseBackend({}, { load }), { backend: 'tensorflow', device: 'cuda:0', why: /sees a GPU/ });
  t.match(await chooseBackend({ device: 'cuda:0' }, { load }), { device: 'cuda:0' });
  t.same(asked, ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node-gpu']);
});

t.test('device cpu never loads the GPU package', async (t) => {
  const asked: string[] = [];
  const load = async (name: string) => {
    asked.push(name);
    standIn(false);
  };
  t.match(await chooseBackend({ device: 'cpu' }, { load }), { backend: 'tensorflow', device: 'cpu' });
  t.same(asked, ['@tensorflow/tfjs-node']);
});

t.test('a GPU package without a GPU computes on the cpu, or refuses cuda:0', async (t) => {
  const load = async () => standIn(false);
  t.match(await chooseBackend({}, { load }), { backend: 'tensorflow', device: 'cpu', why: /sees no GPU/ });
  await t.rejects(chooseBackend({ device: 'cuda:0' }, { load }), { code: 'DEVICE_MISSING' });
});

t.test('what is asked for by name and is not there is an error', async (t) => {
  await t.rejects(chooseBackend({ backend: 'torch' }), { code: 'BACKEND_MISSING', message: /later release/ });
  await t.rejects(chooseBackend({ backend: 'tensorflow' }, { load: absent }), {
    code: 'BACKEND_MISSING',
    message: /npm install/,
  });
  await t.rejects(chooseBackend({ device: 'mps' }, { load: absent }), { code: 'DEVICE_MISSING' });
  await t.rejects(chooseBackend({ backend: 'wasm', device: 'cuda:0' }), { code: 'DEVICE_MISSING' });
});

t.test('wasm by name', async (t) => {
  t.match(await chooseBackend({ backend: 'wasm' }), { backend: 'wasm', why: 'wasm on the cpu: as asked.' });
});
