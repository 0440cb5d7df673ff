import t from 'tap';
import { columnsOf, type Output } from '../../../src/cli/command.ts';
import { predictionLines } from '../../../src/cli/use/predictions.ts';

const row = (i: number) => ({
  key: `a folder/with a long name/of its own/${i}.jpg`,
  label: ['a class of a very long name', 'another one of a long name', 'b'],
  probability: [0.7, 0.25, 0.05],
});

t.test('the first twenty, in the room that there is, and how many there are of each class', (t) => {
  const rows = Array.from({ length: 30 }, (_, i) => row(i));
  const found = { rows, count: 30, classes: [['a class of a very long name', 30]] as const };
  const lines = predictionLines(found, 'there', 80);
  t.equal(lines.length, 22);
  t.match(lines[3], /^….*\/3\.jpg +a class .*… 0\.70 +another .*… 0\.25 +b 0\.05$/);
  t.ok(lines.slice(0, 20).every((line) => [...line].length <= 80));
  t.same(lines.slice(20), ['… and 10 pictures more in there', 'a class of a very long name: 30']);
  const [whole] = predictionLines(found, 'there');
  t.equal(whole, `${row(0).key}   a class of a very long name 0.70  another one of a long name 0.25  b 0.05`);
  t.end();
});

t.test('only a terminal has a width', (t) => {
  const output = (isTTY: boolean): Output => ({ isTTY, columns: 90, write: () => {} });
  t.same([columnsOf(output(true)), columnsOf(output(false))], [90, undefined]);
  t.equal(columnsOf({ ...output(true), columns: 0 }), undefined, 'a terminal that does not say it says 0');
  t.end();
});
