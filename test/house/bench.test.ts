import t from 'tap';
import { table } from '../../bench/run.mjs';

t.test('a table has its columns in line', (t) => {
  const rows = [
    { what: 'per sample', ours: 1.234, theirs: 5, unit: 'µs', ratio: 4.05 },
    { what: 'photos', ours: 1630.4, theirs: 714, unit: 'images/s', ratio: 2.283 },
  ];
  t.equal(
    table(rows),
    [
      'what        ours  theirs  unit      ratio',
      'per sample  1.23    5.00  µs        4.05×',
      'photos      1630     714  images/s  2.28×',
    ].join('\n'),
  );
  t.end();
});
