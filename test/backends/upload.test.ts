import t from 'tap';
import { Constants } from '../../src/backends/constants.ts';
import { rowsOf } from '../../src/backends/host/numbers.ts';
import * as tf from '../../src/backends/tf.ts';
import { prepareTorch } from '../../src/backends/torch/prepare.ts';
import { upload, uploadAll } from '../../src/backends/upload.ts';
import { prepareWasm } from '../../src/backends/wasm/wasm.ts';
import { expectNoTensorLeak } from '../kit/training/tensors.ts';
import { testDevice, withoutTorch } from '../kit/training/torch.ts';

await prepareWasm();

t.test('bytes become float32, the others keep their type', async (t) => {
  await expectNoTensorLeak(t, () => {
    const fields = uploadAll({
      picture: { dtype: 'uint8', shape: [2, 2], data: Uint8Array.of(0, 1, 128, 255) },
      label: { dtype: 'int32', shape: [2], data: Int32Array.of(-1, 7) },
      box: { dtype: 'float32', shape: [1, 2], data: Float32Array.of(0.5, -0.5) },
    });
    t.same([fields.picture!.dtype, fields.label!.dtype, fields.box!.dtype], ['float32', 'int32', 'float32']);
    t.same([...fields.picture!.dataSync()], [0, 1, 128, 255]);
    t.same([...fields.label!.dataSync()], [-1, 7]);
    t.same(fields.box!.shape, [1, 2]);
    tf.dispose(fields);
  });
});

t.test('the copy is made at once: the host’s memory may be used again, shared memory too', async (t) => {
  const data = new Uint8Array(new SharedArrayBuffer(3)).fill(4);
  await tf.setBackend('cpu');
  const onCpu = upload({ dtype: 'uint8', shape: [3], data });
  const floats = new Float32Array(new SharedArrayBuffer(8)).fill(4);
  const floatsOnCpu = upload({ dtype: 'float32', shape: [2], data: floats });
  data.fill(9);
  floats.fill(9);
  t.same([...onCpu.dataSync(), ...floatsOnCpu.dataSync()], [4, 4, 4, 4, 4]);
  tf.dispose([onCpu, floatsOnCpu]);
  await tf.setBackend('wasm');
});

t.test('rows are taken from where they lie, neighbours or not, of any type', async (t) => {
  await expectNoTensorLeak(t, () => {
    const numbers = Float32Array.from({ length: 32 }, (_, i) => i - 7.5);
    const integers = Int32Array.from({ length: 32 }, (_, i) => i - 7);
    for (const values of [numbers, integers]) {
      const dtype = values === numbers ? 'float32' : 'int32';
      // A view that does not begin where its memory does.
      const memory = new Uint8Array(values.buffer, 16, 112);
      const rows = { memory, starts: Float64Array.of(64, 72, 0, 80), bytes: 8 };
      const host = rowsOf(dtype, [4, 2], rows);
      const expected = [20, 22, 4, 24].flatMap((at) => [values[at]!, values[at + 1]!]);
      const tensor = upload(host);
      t.equal(tensor.dtype, dtype);
      t.same(tensor.shape, [4, 2]);
      t.same([...tensor.dataSync()], expected);
      t.same([...host.data], expected);
      tensor.dispose();
    }
  });
});

t.test('torch picks rows itself', { skip: withoutTorch }, async (t) => {
  await prepareTorch(testDevice);
  await expectNoTensorLeak(t, () => {
    const memory = new Uint8Array(new SharedArrayBuffer(64));
    for (let i = 0; i < 64; i++) memory[i] = 200 + (i % 50);
    const lent = (dtype: 'uint8' | 'int32', shape: number[]) =>
      upload(rowsOf(dtype, shape, { memory, starts: Float64Array.of(40, 0, 8), bytes: 8 }));
    const [bytes, integers] = [lent('uint8', [3, 2, 4]), lent('int32', [3, 2])];
    const expected = [40, 0, 8].flatMap((at) => [...memory.subarray(at, at + 8)]);
    const whole = [...new Int32Array(Uint8Array.from(expected).buffer)];
    memory.fill(0);
    t.same([bytes.dtype, bytes.shape, [...bytes.dataSync()]], ['float32', [3, 2, 4], expected]);
    t.same([integers.dtype, integers.shape, [...integers.dataSync()]], ['int32', [3, 2], whole]);
    t.throws(() => upload(rowsOf('uint8', [1, 8], { memory, starts: Float64Array.of(60), bytes: 8 })), /outside/);
    tf.dispose([bytes, integers]);
  });
  await prepareWasm();
});

t.test('constants are made once per backend, outlive a tidy, and are freed together', async (t) => {
  const constants = new Constants();
  let made = 0;
  const make = () => {
    made += 1;
    return tf.ones([1]).add(1);
  };
  const get = () => constants.get('twos', make);
  await expectNoTensorLeak(t, async () => {
    tf.tidy(() => get());
    t.same([...get().dataSync()], [2]);
    t.equal(made, 1);
    await tf.setBackend('cpu');
    get();
    t.equal(made, 2);
    await tf.setBackend('wasm');
    constants.dispose();
  });
  t.notOk(get().isDisposed, 'and may be made again');
  constants.dispose();
});
