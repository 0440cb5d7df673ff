import fc from 'fast-check';
import t from 'tap';
import { type Cell, tableLines } from '../../../src/cli/figures/table.ts';
import { widthOf } from '../../../src/cli/figures/width.ts';

const rows: Cell[][] = [
  [
    { text: 'holidays/2019/beach/IMG_0001.jpg', cut: 'start' },
    { text: 'a very long name of a class', cut: 'end', tail: '0.93' },
    { text: 'dog', cut: 'end', tail: '0.05' },
  ],
  [
    { text: 'a.jpg', cut: 'start' },
    { text: 'cat', cut: 'end', tail: '0.51' },
    { text: 'another long name', cut: 'end', tail: '0.49' },
  ],
];

t.test('a table is whole where nobody says how wide it may be, or where it fits', (t) => {
  const whole = [
    'holidays/2019/beach/IMG_0001.jpg  a very long name of a class 0.93  dog 0.05',
    'a.jpg                             cat 0.51                          another long name 0.49',
  ];
  t.same(tableLines(rows), whole);
  t.same(tableLines(rows, { columns: whole[1]!.length }), whole);
  t.end();
});

t.test('what is too wide is cut: paths at their start, names at their end, never the number behind them', (t) => {
  t.same(tableLines(rows, { columns: 60 }), [
    '…each/IMG_0001.jpg  a very long n… 0.93  dog 0.05',
    'a.jpg               cat 0.51             another long … 0.49',
  ]);
  t.same(tableLines(rows, { columns: 40 }), [
    '…_0001.jpg  a very … 0.93  dog 0.05',
    'a.jpg       cat 0.51       another… 0.49',
  ]);
  t.same(tableLines(rows, { columns: 30 }), ['…MG_0001.jpg  a very … 0.93  …', 'a.jpg         cat 0.51       …']);
  t.same(tableLines([], { columns: 30 }), []);
  t.end();
});

t.test('columns of numbers end below each other', (t) => {
  t.same(
    tableLines(
      [
        ['', 'a', 'run'],
        ['loss', '0.25', '3'],
      ],
      { numbers: true },
    ),
    ['         a  run', 'loss  0.25    3'],
  );
  t.end();
});

t.test('columns stand below each other in every script', (t) => {
  const photos: Cell[][] = [
    [{ text: '旅行/写真.jpg', cut: 'start' }, 'cat'],
    [{ text: 'e\u0301te\u0301.jpg', cut: 'start' }, 'dog'],
    [{ text: 'a.jpg', cut: 'start' }, '猫'],
  ];
  t.same(tableLines(photos), ['旅行/写真.jpg  cat', 'e\u0301te\u0301.jpg        dog', 'a.jpg          猫']);
  t.same(tableLines(photos, { columns: 15 }), ['…/写真.jpg  cat', 'e\u0301te\u0301.jpg     dog', 'a.jpg       猫']);
  t.end();
});

t.test('a table fits whenever its least form does, and is safe to be shown', (t) => {
  const cell = fc.record({
    text: fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.string({ unit: 'grapheme', maxLength: 40 })),
    cut: fc.constantFrom('start', 'end'),
  });
  const table = fc
    .integer({ min: 1, max: 6 })
    .chain((columns) => fc.array(fc.array(cell, { minLength: columns, maxLength: columns }), { maxLength: 5 }));
  fc.assert(
    fc.property(table, fc.integer({ min: 20, max: 120 }), (cells, columns) => {
      for (const line of tableLines(cells as Cell[][], { columns })) {
        t.ok(widthOf(line) <= columns, line);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: the very characters that a terminal acts on.
        t.notMatch(line, /[\u0000-\u001f\u007f-\u009f]/);
      }
    }),
    { numRuns: 200 },
  );
  t.end();
});
