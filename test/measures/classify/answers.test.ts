import t from 'tap';
import { Answers } from '../../../src/measures/classify/answers.ts';
import { WorstAnswers } from '../../../src/measures/classify/worst.ts';

t.test('N6: each class, the least found first, and which was taken for which', async (t) => {
  const answers = new Answers(4);
  for (const [label, answer] of [
    [0, 0],
    [0, 0],
    [0, 1],
    [1, 1],
    [1, 0],
    [1, 0],
  ] as const)
    answers.add(label, answer);
  const [each, matrix] = answers.tables(['cat', 'dog', 'bird', 'fish']);
  t.same(each!.rows, [
    ['dog', '3', '33.3 %', '50.0 %'],
    ['cat', '3', '66.7 %', '50.0 %'],
  ]);
  t.same(
    [matrix!.head, ...matrix!.rows],
    [
      ['class', 'cat', 'dog'],
      ['cat', '2', '1'],
      ['dog', '2', '1'],
    ],
  );
});

t.test('a class without pictures that is named, and classes without names', async (t) => {
  const answers = new Answers(3);
  answers.add(1, 2);
  const [each] = answers.tables();
  t.same(each!.rows, [
    ['1', '1', '0.0 %', '–'],
    ['2', '0', '–', '0.0 %'],
  ]);
});

t.test('of many classes the commonest confusions, in the place of a matrix', async (t) => {
  const answers = new Answers(200);
  for (let c = 0; c < 200; c++) for (let i = 0; i < 5; i++) answers.add(c, i < 4 ? c : (c + 1) % 200);
  for (let i = 0; i < 3; i++) answers.add(7, 9);
  const [each, confusions] = answers.tables();
  t.same(each!.rows[0], ['7', '8', '50.0 %', '80.0 %']);
  t.match(each!.about, /^120 classes more/);
  t.equal(confusions!.rows.length, 20);
  t.same(confusions!.rows[0], ['7', '9', '3', '37.5 %']);
});

t.test('N6: the worst answers are those whose class has the least probability, and keep their pixels', async (t) => {
  const worst = new WorstAnswers(2);
  const data = Uint8Array.from({ length: 4 * 12 }, (_, i) => i);
  const picture = { dtype: 'uint8' as const, shape: [4, 2, 2, 3], data };
  // Of class 0 the probabilities 0.5, 0.05, 0.01 and 0.05.
  for (const [n, share] of [0.5, 0.05, 0.01, 0.05].entries()) {
    worst.offer(`${n}`, 0, Float32Array.of(Math.log(share / (1 - share)), 0), picture, n);
  }
  data.fill(0);
  t.match(worst.table(['cat', 'dog']).rows, [
    ['2', 'cat', '0.010', 'dog', '0.990'],
    ['1', 'cat', '0.050', 'dog', '0.950'],
  ]);
  t.same(
    [...worst.list[0]!.pixels.data],
    Array.from({ length: 12 }, (_, i) => 24 + i),
  );
  t.same([worst.list[0]!.pixels.width, worst.list[0]!.pixels.height], [2, 2]);
});
