import t from 'tap';
import * as tf from '../../src/backends/tf.ts';
import { upload } from '../../src/backends/upload.ts';
import { CellReader, cellLayout } from '../../src/train/cells.ts';
import type { Spec } from '../../src/vision/spec.ts';

const spec: Spec = {
  fields: {
    picture: 'picture',
    bytes: 'bytes',
    lr: { picture: [2, 2] },
    windows: { dtype: 'int32', shape: [3, 2] },
    label: { dtype: 'int32', shape: [] },
  },
  size: [5, 5],
};

t.test('samples are taken where they lie when they lie one behind the other', (t) => {
  const field = { name: 'x', dtype: 'int32' as const, shape: [16], offset: 0 };
  const memory = new SharedArrayBuffer(64 * 5);
  new Int32Array(memory).forEach((_, i, all) => {
    all[i] = i;
  });
  const reader = new CellReader(memory, { fields: [field], cellBytes: 64 });
  const { x } = reader.inPlace(Uint32Array.of(2, 3))!;
  t.same(x!.shape, [2, 16]);
  t.same([...x!.data], [...reader.read(Uint32Array.of(2, 3)).x!.data]);
  t.equal(x!.data.buffer, memory);
  for (const cells of [
    [3, 2],
    [1, 3],
    [4, 0],
  ])
    t.equal(reader.inPlace(Uint32Array.from(cells)), undefined, `not ${cells}`);
  const gap = new CellReader(memory, { fields: [{ ...field, shape: [15] }], cellBytes: 64 });
  t.equal(gap.inPlace(Uint32Array.of(0, 1)), undefined, 'not with gaps');
  const two = new CellReader(memory, { fields: [field, { ...field, name: 'y', offset: 64 }], cellBytes: 128 });
  t.equal(two.inPlace(Uint32Array.of(0, 1)), undefined, 'not with fields beside them');
  t.end();
});

t.test('fields lie in the order of the model, each at a multiple of 64 bytes', (t) => {
  const layout = cellLayout({ name: 'm', fields: ['label', 'picture', 'windows', 'lr'] }, spec);
  t.same(layout, {
    cellBytes: 320,
    fields: [
      { name: 'label', dtype: 'int32', shape: [], offset: 0 },
      { name: 'picture', dtype: 'uint8', shape: [5, 5, 3], offset: 64 },
      { name: 'windows', dtype: 'int32', shape: [3, 2], offset: 192 },
      { name: 'lr', dtype: 'uint8', shape: [2, 2, 3], offset: 256 },
    ],
  });
  t.end();
});

t.test('what the chain does not make is named with the stage that would', (t) => {
  const layout =
    (field: string, of: Spec = spec) =>
    () =>
      cellLayout({ name: 'm', fields: [field] }, of);
  t.throws(layout('masks'), { code: 'TRAIN_SPEC', message: /the field masks.*: mask\./ });
  t.throws(layout('bytes'), { code: 'TRAIN_SPEC' });
  t.throws(layout('picture', { fields: { picture: 'picture' } }), { code: 'TRAIN_SPEC', message: /resize/ });
  t.throws(layout('lr', { fields: { lr: { picture: null } } }), { code: 'TRAIN_SPEC' });
  t.end();
});

t.test('cells are copied out in the order of the list', (t) => {
  const layout = cellLayout({ name: 'm', fields: ['label', 'windows'] }, spec);
  const memory = new SharedArrayBuffer(4 * layout.cellBytes);
  for (let cell = 0; cell < 4; cell++) {
    new Int32Array(memory, cell * layout.cellBytes, 1).fill(cell);
    new Int32Array(memory, cell * layout.cellBytes + 64, 6).fill(10 * cell);
  }
  const reader = new CellReader(memory, layout);
  const two = reader.read(Uint32Array.of(3, 1));
  t.same(two.label, { dtype: 'int32', shape: [2], data: Int32Array.of(3, 1) });
  t.same(two.windows!.shape, [2, 3, 2]);
  t.same([...two.windows!.data], [30, 30, 30, 30, 30, 30, 10, 10, 10, 10, 10, 10]);
  new Uint8Array(memory).fill(0);
  t.same([...two.label!.data], [3, 1], 'a copy: cells may be used again');
  t.same([...reader.read(Uint32Array.of(0)).label!.data], [0], 'lists may differ in length');
  t.end();
});

t.test('pictures are lent: uploaded from where they lie, and a cell overwritten later changes nothing', async (t) => {
  const layout = cellLayout({ name: 'm', fields: ['label', 'picture'] }, spec);
  const memory = new SharedArrayBuffer(4 * layout.cellBytes);
  for (let cell = 0; cell < 4; cell++) {
    new Int32Array(memory, cell * layout.cellBytes, 1).fill(cell);
    for (let i = 0; i < 75; i++) new Uint8Array(memory, cell * layout.cellBytes + 64)[i] = 50 * cell + i;
  }
  await tf.setBackend('cpu');
  const { label, picture } = new CellReader(memory, layout).lend(Uint32Array.of(3, 0, 1));
  t.notOk(label!.rows, 'small fields are copied');
  t.same([...label!.data], [3, 0, 1]);
  t.match(picture, { dtype: 'uint8', shape: [3, 5, 5, 3], rows: { bytes: 75 } });
  const uploaded = upload(picture!);
  new Uint8Array(memory).fill(255);
  t.same(
    [...uploaded.dataSync()],
    [3, 0, 1].flatMap((cell) => Array.from({ length: 75 }, (_, i) => 50 * cell + i)),
  );
  t.same([...label!.data], [3, 0, 1]);
  t.ok(
    picture!.data.every((value) => value === 255),
    'read on the host it is copied then',
  );
  uploaded.dispose();
});
