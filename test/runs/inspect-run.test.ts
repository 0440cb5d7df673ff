import t from 'tap';
import { lastRun } from '../../src/runs/inspect-run.ts';

t.test('the last run is what began last; a run that was refused later is no part of it', (t) => {
  const row = (event: string, how?: string) => ({ event, ...(how && { how }) });
  const rows = [
    row('start'),
    row('end', 'failed'),
    row('start'),
    row('stats'),
    row('end', 'completed'),
    row('end', 'failed'),
  ];
  t.same(lastRun(rows), rows.slice(2, 5));
  t.same(lastRun(rows.slice(0, 1)), rows.slice(0, 1), 'one that is going, or was killed');
  t.same(lastRun([]), []);
  t.end();
});
