import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readMatStructs } from '../../src/formats/mat-structs.ts';
import { array, deflated, element, matFile, type Struct, structs } from '../kit/datasets/mat.ts';

const rows: readonly Struct[] = [
  { id: 1, WNID: 'n01440764', words: 'tench, Tinca tinca', children: [], height: 0.5 },
  { id: 300, WNID: 'n00001740', words: 'é', children: [1, 2, 3], height: 70000 },
];

const all = ['id', 'WNID', 'words', 'children', 'height'];

function read(t: import('tap').Test, bytes: Buffer, { name = 'synsets', fields = all, maxBytes = 2 ** 20 } = {}) {
  const path = join(t.testdir({}), 'meta.mat');
  writeFileSync(path, bytes);
  return readMatStructs(path, name, fields, { maxBytes });
}

t.test(
  'text and single numbers of each struct, in either encoding, deflated or not, behind other arrays',
  async (t) => {
    const other = array(6, [1, 1], 'version', element(9, Buffer.from(Float64Array.of(1).buffer)));
    for (const characters of ['utf8', 'utf16'] as const) {
      const made = structs('synsets', rows, characters);
      for (const bytes of [
        matFile(made),
        matFile(deflated(made)),
        matFile(other, deflated(other), made),
        matFile(element(14, Buffer.alloc(0)), made),
      ]) {
        const found = await read(t, bytes);
        t.same(
          found,
          rows.map((row) => ({ ...row, children: undefined })),
        );
      }
    }
    const a = { fields: ['a'] };
    const kinds = [
      [1, Int8Array.of(-3)],
      [2, Uint8Array.of(250)],
      [3, Int16Array.of(-300)],
      [4, Uint16Array.of(65535)],
      [5, Int32Array.of(-70000)],
      [6, Uint32Array.of(2 ** 32 - 1)],
      [7, Float32Array.of(0.25)],
      [9, Float64Array.of(1e300)],
    ] as const;
    for (const [type, value] of kinds) {
      const field = array(6, [1, 1], '', element(type, Buffer.from(value.buffer)));
      const named = [element(5, Buffer.from(Int32Array.of(5).buffer)), element(1, Buffer.from('a\0\0\0\0'))];
      const [struct] = await read(t, matFile(array(2, [1, 1], 'synsets', ...named, field)), a);
      t.equal(struct!.a, value[0], `type ${type}`);
    }
  },
);

t.test('what is not asked for may hold anything', async (t) => {
  const names = [element(5, Buffer.from(Int32Array.of(2).buffer)), element(1, Buffer.from('a\0b\0'))];
  const number = array(6, [1, 1], '', element(2, Buffer.of(7)));
  const odd = array(4, [1, 9], '', element(16, Buffer.from('short')));
  const bytes = matFile(array(2, [1, 1], 'synsets', ...names, number, odd));
  t.same(await read(t, bytes, { fields: ['a'] }), [{ a: 7 }]);
  await t.rejects(read(t, bytes, { fields: ['a', 'b'] }), { code: 'MAT_FORMAT' });
});

t.test('files that SciPy has written', async (t) => {
  const fields = ['ILSVRC2012_ID', 'WNID', 'words', 'num_children', 'gloss'] as const;
  for (const name of ['synsets.mat', 'synsets-plain.mat']) {
    const found = await readMatStructs(`fixtures/mat/${name}`, 'synsets', fields, { maxBytes: 2 ** 20 });
    t.same(
      found.map((struct) => fields.map((field) => struct[field])),
      [
        [1, 'n01440764', 'tench, Tinca tinca', 0, 'a fish; "as it were"'],
        [2, 'n02012849', 'crane', 0, 'a bird'],
        [300, 'n00001740', 'entity', 2, 'that which is'],
      ],
    );
  }
});

t.test('files that are none, are cut off or damaged', async (t) => {
  const made = structs('synsets', rows);
  const refused = (bytes: Buffer, message: RegExp, options = {}) =>
    t.rejects(read(t, bytes, options), { code: 'MAT_FORMAT', message }, String(message));
  await refused(Buffer.alloc(0), /header of 128 bytes; got 0 bytes/);
  await refused(Buffer.from('\x89HDF\r\n'.padEnd(600)), /level 5 and little-endian/);
  await refused(matFile(), /structs synsets; got none/);
  await refused(matFile(made), /structs other; got none/, { name: 'other' });
  await refused(matFile(made).subarray(0, 400), /past its end/);
  await refused(matFile(made, Buffer.alloc(3)), /3 bytes after the last/, { name: 'other' });
  await refused(matFile(array(6, [1, 1], 'synsets', element(2, Buffer.of(1)))), /have structs in synsets.*class 6/);
  await refused(matFile(deflated(made.subarray(0, 300))), /past its end/);
  const broken = deflated(made);
  broken[broken.length - 1]! ^= 1;
  await refused(matFile(broken), /inflate to its end/);
  await refused(
    matFile(
      deflated(
        structs(
          'synsets',
          Array.from({ length: 2000 }, () => rows[0]!),
        ),
      ),
    ),
    /at most 10,000 bytes/,
    { maxBytes: 10_000 },
  );
  const one = { fields: ['abcd'] };
  const names = (text: string, length: number) => [
    element(5, Buffer.from(Int32Array.of(length).buffer)),
    element(1, Buffer.from(text)),
  ];
  await refused(matFile(array(2, [1, 1], 'synsets', ...names('abcd', 3))), /names of fields/);
  await refused(matFile(array(2, [1, 1], 'synsets', ...names('abcd', 0))), /names of fields/);
  await refused(
    matFile(array(2, [2, 1], 'synsets', ...names('abcd\0', 5), element(14, Buffer.alloc(0)))),
    /ends before/,
    one,
  );
  await refused(
    matFile(array(2, [1, 1], 'synsets', ...names('abcd\0', 5), element(2, Buffer.alloc(8)))),
    /array in each field/,
    one,
  );
  await refused(
    matFile(array(2, [2 ** 20, 2 ** 20], 'synsets', ...names('abcd\0', 5))),
    /at most 1,000,000 structs/,
    one,
  );
  await refused(matFile(array(2, [-1, 1], 'synsets', ...names('abcd\0', 5))), /dimensions/);
  await refused(matFile(made), /field gloss in synsets; got id, WNID/, { fields: ['gloss'] });
  const short = array(4, [1, 9], '', element(16, Buffer.from('n0144')));
  await refused(
    matFile(array(2, [1, 1], 'synsets', ...names('abcd\0', 5), short)),
    /9 characters of a text; got 5/,
    one,
  );
  const wide = array(6, [1, 1], '', element(9, Buffer.alloc(16)));
  await refused(matFile(array(2, [1, 1], 'synsets', ...names('abcd\0', 5), wide)), /value for each number/, one);
  await t.rejects(readMatStructs('no-such.mat', 'synsets', [], { maxBytes: 1 }), { code: 'FILE_UNREADABLE' });
  await t.rejects(read(t, matFile(made), { maxBytes: 100 }), { code: 'FILE_LARGE' });
});
