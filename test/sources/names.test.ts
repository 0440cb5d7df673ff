import t from 'tap';
import { codePoints, nameText } from '../../src/files/name-text.ts';
import { tryNames } from '../kit/files/names.ts';

t.test('L5: bytes of a name that are no text are written out, so that no two names become one', async (t) => {
  t.equal(nameText(Buffer.from('déjà 写真 🙂 \uFFFD')), 'déjà 写真 🙂 \uFFFD');
  t.equal(nameText(Buffer.from([0x61, 0xe9, 0x2e, 0xc3, 0xa9])), 'a\\xE9.é');
  t.equal(nameText(Buffer.from([0xed, 0xa0, 0x80])), '\\xED\\xA0\\x80', 'half of a pair of UTF-16');
  t.equal(codePoints('cafe\u0301'), 'cafe\\u{301}');
});

t.test(
  'L5, L9: of 300 strange names in folders and in tars none vanishes, and none does harm',
  { skip: process.platform !== 'linux' && 'names of any bytes are made on Linux alone' },
  async (t) => {
    const { read, passedOver, wrong } = await tryNames(t.testdir({}), 300, 11);
    t.same(wrong, []);
    t.ok(read > 150 && passedOver > 150, `${read} read, ${passedOver} passed over`);
  },
);
