import fc from 'fast-check';
import t from 'tap';
import { Header } from 'tar';
import { TarPieces, writeHeader } from '../../../src/formats/tar/write.ts';

const block = () => Buffer.alloc(512, 0xff);

function packed(path: string, size: number): Buffer {
  const made = Buffer.alloc(512);
  new Header({ path, size, mode: 0o644, mtime: new Date(0), type: 'File' }).encode(made);
  return made;
}

t.test(
  'headers are those of the package, byte for byte: a job that was begun earlier goes on with the same tars',
  (t) => {
    const name = fc.oneof(
      fc.stringMatching(/^[\x20-\x7e]{1,110}$/),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
      fc.nat(1e9).map((n) => `${String(n).padStart(9, '0')}-a.jpg`),
    );
    const size = fc.oneof(fc.nat(2 ** 20), fc.integer({ min: 0, max: 2 ** 35 }), fc.constantFrom(8 ** 10 - 1, 8 ** 10));
    const property = fc.property(name, size, (name, size) => {
      const own = block();
      writeHeader(name, size, own);
      return own.equals(packed(name, size));
    });
    fc.assert(property, { numRuns: 500, seed: 18 });
    t.end();
  },
);

t.test('files lie one behind the other, whatever their sizes, and memory that is used again', (t) => {
  const pieces = new TarPieces();
  const sizes = fc.array(fc.oneof(fc.nat(600), fc.constantFrom(0, 512, 2 ** 14, 2 ** 14 + 1, 40_000)), {
    maxLength: 8,
  });
  const property = fc.property(sizes, (sizes) => {
    const members = sizes.map((size, i) => [`${i}.jpg`, new Uint8Array(size).fill(i + 1)] as const);
    const expected = members.flatMap(([name, bytes]) => [
      packed(name, bytes.length),
      bytes,
      Buffer.alloc((512 - (bytes.length % 512)) % 512),
    ]);
    return Buffer.concat(pieces.of(members)).equals(Buffer.concat(expected));
  });
  fc.assert(property, { numRuns: 100, seed: 18 });
  t.end();
});
