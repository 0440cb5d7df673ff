import t from 'tap';
import { merged, table } from '../../bench/run.mjs';

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

t.test('a table of checks says which failed', (t) => {
  const rows = [
    { what: 'loss', error: 2.4e-7, tolerance: 1e-4 },
    { what: 'gradient', error: 0.012, tolerance: 1e-3, where: 'norm.weight' },
    { what: 'no number', error: Number.NaN, tolerance: 1e-3 },
  ];
  t.equal(
    table(rows),
    [
      'what        error  tolerance  where',
      'loss       2.4e-7       1e-4',
      'gradient   1.2e-2       1e-3  norm.weight FAILED',
      'no number     NaN       1e-3  FAILED',
    ].join('\n'),
  );
  t.end();
});

t.test('rows of part of a bench take the place of those before, measured on the same machine', (t) => {
  const [old, other] = [
    { what: 'a', kind: 'loader', ours: 1 },
    { what: 'b', kind: 'step', ours: 2 },
  ];
  const [renewed, added] = [
    { what: 'b', kind: 'step', ours: 3 },
    { what: 'c', kind: 'step', ours: 4 },
  ];
  const machine = { cores: 2, date: '2026-11-22' };
  const fresh = { machine, notes: ['now'], rows: [renewed, added] };
  t.same(merged({ machine, notes: ['then'], rows: [old, other] }, fresh), { ...fresh, rows: [old, renewed, added] });
  t.same(merged({ machine: { ...machine, cores: 4 }, notes: [], rows: [old, other] }, fresh), fresh);
  t.test('a table of another day stays whole, or is made anew whole', (t) => {
    const date = '2026-11-21';
    const gone = { what: 'd', kind: 'step', ours: 5 };
    const yesterday = merged({ machine: { ...machine, date }, notes: [], rows: [old, other, gone] }, fresh);
    t.same(yesterday, { ...fresh, rows: [{ ...old, date }, renewed, added] });
    t.same(merged(yesterday, { ...fresh, rows: [added] }).rows, yesterday.rows);
    t.end();
  });
  t.end();
});
