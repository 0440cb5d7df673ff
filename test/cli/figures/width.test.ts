import fc from 'fast-check';
import t from 'tap';
import { cutTo, padded, widthOf } from '../../../src/cli/figures/width.ts';

/** Texts with the columns that terminals take for them, by UAX 11 and UTS 51. */
const known: Readonly<Record<string, number>> = {
  '': 0,
  'a.jpg': 5,
  '写真.jpg': 8,
  ｶﾞ: 2,
  'e\u0301te\u0301': 3,
  한국: 4,
  '\u1112\u1161\u11ab': 2,
  '😀': 2,
  '👍🏽': 2,
  '🇩🇪': 2,
  हि: 2,
  '…': 1,
};

t.test('the width of a text is what a terminal takes for it', (t) => {
  for (const [text, width] of Object.entries(known)) t.equal(widthOf(text), width, text);
  t.equal(padded('写真', 6), '写真  ');
  t.equal(padded('写真', 3), '写真');
  t.end();
});

t.test('a text is cut between characters, never within one', (t) => {
  t.equal(cutTo('写真の本', 8, 'end'), '写真の本');
  t.equal(cutTo('写真の本', 7, 'end'), '写真の…');
  t.equal(cutTo('写真の本', 6, 'end'), '写真…');
  t.equal(cutTo('写真の本', 6, 'start'), '…の本');
  t.equal(cutTo('cafe\u0301s', 5, 'end'), 'cafe\u0301s');
  t.equal(cutTo('cafe\u0301ss', 5, 'end'), 'cafe\u0301…');
  t.equal(cutTo('e\u0301te\u0301s', 3, 'start'), '…e\u0301s');
  t.equal(cutTo('a👍🏽b', 2, 'end'), 'a…');
  t.equal(cutTo('写真', 1, 'end'), '…');
  // Such a text is in no name of an assert, where a space of another kind or a `#` has a meaning.
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 20 }), (text, width) =>
      (['start', 'end'] as const).every((cut) => {
        const shown = cutTo(text, width, cut);
        if (widthOf(shown) > width) return false;
        if (shown === text) return true;
        // The text may have such an ellipsis of its own.
        const [mark, kept] =
          cut === 'start' ? [shown.slice(0, 1), shown.slice(1)] : [shown.slice(-1), shown.slice(0, -1)];
        return mark === '…' && (cut === 'start' ? text.endsWith(kept) : text.startsWith(kept));
      }),
    ),
    { numRuns: 300 },
  );
  t.end();
});
