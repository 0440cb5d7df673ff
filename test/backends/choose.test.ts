import { existsSync } from 'node:fs';
import t from 'tap';
import { type ChooseOptions, chooseBackend, type TorchFound } from '../../src/backends/choose.ts';
import * as tf from '../../src/backends/tf.ts';
import { prepareTorch, presentAddon } from '../../src/backends/torch/prepare.ts';
import { withoutTorch } from '../kit/training/torch.ts';

// Stands for tfjs-node: an object registered as tfjs' backend `tensorflow`.
function standIn(isUsingGpuDevice: boolean): void {
  if (tf.findBackendFactory('tensorflow') !== null) tf.removeBackend('tensorflow');
  tf.registerBackend('tensorflow', () => ({ isUsingGpuDevice, dispose() {} }) as unknown as tf.KernelBackend);
}

// Stands for libtorch: what it finds, and which device was asked of it.
function torchOf(found: TorchFound): { torch: NonNullable<ChooseOptions['torch']>; prepared: string[] } {
  const prepared: string[] = [];
  const prepare = async (device: string) => void prepared.push(device);
  return { torch: { find: () => found, prepare }, prepared };
}

const none = torchOf({ found: 'its addon is not built', remedy: 'Build it.' });

const absent = async (name: string) => {
  throw Object.assign(new Error(`Cannot find package '${name}'`), { code: 'ERR_MODULE_NOT_FOUND' });
};

const packageThere = existsSync('node_modules/@tensorflow/tfjs-node');

t.test('auto falls to wasm and says why', async (t) => {
  // Where the package is installed, one that is not: else the error is Node's own.
  const choice = await chooseBackend({}, { ...none, ...(packageThere && { load: absent }) });
  t.match(choice, { backend: 'wasm', device: 'cpu' });
  t.equal(
    choice.why,
    'wasm on the cpu: @tensorflow/tfjs-node-gpu is not installed; torch is not there: its addon is not built; @tensorflow/tfjs-node is not installed.',
  );
  t.equal(tf.getBackend(), 'wasm');
});

t.test('a package that is broken is named with its complaint, and wasm taken', async (t) => {
  const load = async () => {
    throw new Error('libtensorflow.so.2: cannot open');
  };
  t.match(
    (await chooseBackend({}, { load, ...none })).why,
    /tfjs-node did not load \(libtensorflow.so.2: cannot open\)/,
  );
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
  t.match(await chooseBackend({ device: 'cpu' }, { load, ...none }), { backend: 'tensorflow', device: 'cpu' });
  t.same(asked, ['@tensorflow/tfjs-node']);
});

t.test('a GPU package without a GPU computes on the cpu, or refuses cuda:0', async (t) => {
  const load = async () => standIn(false);
  t.match(await chooseBackend({}, { load, ...none }), { backend: 'tensorflow', device: 'cpu', why: /sees no GPU/ });
  await t.rejects(chooseBackend({ device: 'cuda:0' }, { load, ...none }), { code: 'DEVICE_MISSING' });
});

t.test('what is asked for by name and is not there is an error', async (t) => {
  await t.rejects(chooseBackend({ backend: 'torch' }, none), {
    code: 'BACKEND_MISSING',
    message: /not built. Build it./,
  });
  await t.rejects(chooseBackend({ backend: 'tensorflow' }, { load: absent }), {
    code: 'BACKEND_MISSING',
    message: /tfjs-node is not installed\. Run `npx patchstream doctor`/,
  });
  const unbuilt = async () => {
    throw new Error('The Node.js native addon module (tfjs_binding.node) can not be found at path: /a.\nPlease run');
  };
  await t.rejects(chooseBackend({ backend: 'tensorflow' }, { load: unbuilt }), {
    message: /the binding of @tensorflow\/tfjs-node is not built\. Run `npx patchstream doctor`/,
  });
  await t.rejects(chooseBackend({ device: 'mps' }, { load: absent, ...none }), { code: 'DEVICE_MISSING' });
  await t.rejects(chooseBackend({ backend: 'wasm', device: 'cuda:0' }), { code: 'DEVICE_MISSING' });
});

t.test('a precision that a backend has not is computed in float32, and said', async (t) => {
  const said: string[] = [];
  const warn = (text: string) => void said.push(text);
  t.match(await chooseBackend({ backend: 'wasm', precision: 'bfloat16' }, { warn }), { precision: 'float32' });
  t.match(await chooseBackend({ backend: 'wasm', precision: 'float32' }, { warn }), { precision: 'float32' });
  t.same(said, [
    'Products are computed in float32 and not in bfloat16: the backend wasm has float32 alone; torch has more.',
  ]);
});

t.test('wasm by name', async (t) => {
  t.match(await chooseBackend({ backend: 'wasm' }), { backend: 'wasm', why: 'wasm on the cpu: as asked.' });
});

t.test('torch comes after the user’s own GPU and before tfjs-node, on the fastest device it sees', async (t) => {
  const both = torchOf({ version: '2.9.0', devices: ['cuda:0', 'cpu'] });
  t.same(await chooseBackend({}, { load: absent, ...both }), {
    backend: 'torch',
    device: 'cuda:0',
    precision: 'float32',
    why: 'torch on cuda:0: libtorch 2.9.0 is installed and sees a GPU; @tensorflow/tfjs-node-gpu is not installed.',
  });
  t.match(await chooseBackend({ device: 'cpu' }, { load: absent, ...both }), { backend: 'torch', device: 'cpu' });
  t.same(both.prepared, ['cuda:0', 'cpu']);
  const load = async () => standIn(true);
  t.match(await chooseBackend({}, { load, ...both }), { backend: 'tensorflow', device: 'cuda:0' });
});

t.test('torch by name takes the device by name, or says that libtorch sees none', async (t) => {
  const apple = torchOf({ version: '2.9.0', devices: ['mps', 'cpu'] });
  t.match(await chooseBackend({ backend: 'torch', device: 'mps' }, apple), { device: 'mps' });
  t.match(await chooseBackend({ device: 'mps' }, apple), { backend: 'torch', device: 'mps' });
  await t.rejects(chooseBackend({ backend: 'torch', device: 'cuda:0' }, apple), {
    code: 'DEVICE_MISSING',
    message: /libtorch 2.9.0 sees no cuda:0/,
  });
});

t.test('a device that torch cannot start on is passed over with its complaint, unless asked for by name', async (t) => {
  const failing = (broken: readonly string[]): ChooseOptions => ({
    load: absent,
    torch: {
      find: () => ({ version: '2.9.0', devices: ['cuda:0', 'cpu'] }),
      async prepare(device) {
        if (broken.includes(device)) throw new Error(`no kernel image for ${device}`);
      },
    },
  });
  t.match(await chooseBackend({}, failing(['cuda:0'])), {
    backend: 'torch',
    device: 'cpu',
    why: /torch did not start on cuda:0 \(no kernel image for cuda:0\)/,
  });
  t.match(await chooseBackend({}, failing(['cuda:0', 'cpu'])), {
    backend: 'wasm',
    why: /torch did not start on cuda:0 .*; torch did not start on the cpu \(no kernel image for cpu\)/,
  });
  t.match(await chooseBackend({ device: 'cpu' }, failing(['cpu'])), { backend: 'wasm', device: 'cpu' });
  for (const wish of [{ backend: 'torch' }, { device: 'cuda:0' }] as const) {
    await t.rejects(chooseBackend(wish, failing(['cuda:0'])), /no kernel image for cuda:0/);
  }
});

t.test('torch as it is installed here', { skip: withoutTorch }, async (t) => {
  const choice = await chooseBackend({ backend: 'torch', device: 'cpu' });
  t.match(choice, {
    backend: 'torch',
    device: 'cpu',
    why: /^torch on the cpu: libtorch \d+\.\d+\.\d+ is installed\.$/,
  });
  t.equal(tf.getBackend(), 'torch');
});

t.test('torch that does not start is an error, and starts when it can', { skip: withoutTorch }, async (t) => {
  if (tf.findBackendFactory('torch') !== null) tf.removeBackend('torch');
  const broken = t.intercept(presentAddon(), 'setDevice', {
    value: () => {
      throw new Error('no kernel image');
    },
  });
  await t.rejects(prepareTorch('cpu'), { code: 'BACKEND_MISSING', message: /did not start on cpu/ });
  broken.restore();
  await prepareTorch('cpu');
  t.equal(tf.getBackend(), 'torch');
});
