import fc from 'fast-check';
import t from 'tap';
import { checksums, crc32 } from '../../../src/formats/shard/checksum.ts';

t.test('CRC-32 is the same in every way there is, in one piece or in several', (t) => {
  t.equal(crc32(Buffer.from('123456789')), 0xcbf43926, 'the check value of CRC-32');
  t.equal(crc32(new Uint8Array(0)), 0);
  const ways = checksums();
  t.comment(`${ways.length} ways`);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 900, size: 'max' }), fc.nat(900), (bytes, cut) => {
      // From an odd place in memory, too.
      const moved = new Uint8Array(bytes.length + 3).subarray(3);
      moved.set(bytes);
      const expected = ways.at(-1)!(bytes, 0);
      return ways.every((way) => {
        const parts = way(moved.subarray(Math.min(cut, moved.length)), way(moved.subarray(0, cut), 0));
        return way(moved, 0) === expected && parts === expected;
      });
    }),
    { seed: 3, numRuns: 300 },
  );
  const large = Uint8Array.from({ length: 200_003 }, (_, i) => (i * 2654435761) >>> 24);
  t.equal(new Set(ways.map((way) => way(large, 7))).size, 1);
  t.end();
});
