import fc from 'fast-check';
import t from 'tap';
import { parsePart, rangeOf } from '../../src/pipeline/part.ts';
import { images } from '../../src/sinks/images.ts';
import { runNumbered } from '../kit/runs/jobs.ts';

t.test('parts are neighbours, differ by at most one, and are together all', (t) => {
  fc.assert(
    fc.property(fc.nat(2_000_000_000), fc.integer({ min: 1, max: 300 }), (count, of) => {
      let end = 0;
      const sizes: number[] = [];
      for (let index = 1; index <= of; index++) {
        const { from, to } = rangeOf(count, { index, of });
        if (from !== end) return false;
        sizes.push(to - from);
        end = to;
      }
      return end === count && Math.max(...sizes) - Math.min(...sizes) <= 1;
    }),
    { seed: 1 },
  );
  t.same(rangeOf(10, undefined), { from: 0, to: 10 });
  t.end();
});

const slurm = (id: string, min: string, max: string, count: string) => ({
  SLURM_ARRAY_TASK_ID: id,
  SLURM_ARRAY_TASK_MIN: min,
  SLURM_ARRAY_TASK_MAX: max,
  SLURM_ARRAY_TASK_COUNT: count,
});

t.test('which part it is, as written or as the orchestrator says', (t) => {
  t.same(parsePart('2/8', {}), { index: 2, of: 8 });
  t.same(parsePart('auto/8', { JOB_COMPLETION_INDEX: '0' }), { index: 1, of: 8 });
  t.same(parsePart('auto/8', { JOB_COMPLETION_INDEX: '7' }), { index: 8, of: 8 });
  t.same(parsePart('auto/3', slurm('12', '10', '12', '3')), { index: 3, of: 3 });
  t.same(parsePart('auto/3', slurm('0', '0', '2', '3')), { index: 1, of: 3 });
  for (const [text, environment, message] of [
    ['0/8', {}, /counted from 1/],
    ['9/8', {}, /no more tasks/],
    ['1/0', {}, /--part 2\/8/],
    ['2', {}, /--part 2\/8/],
    ['-1/3', {}, /i\/n/],
    ['1.5/3', {}, /i\/n/],
    ['auto/8', {}, /JOB_COMPLETION_INDEX nor SLURM_ARRAY_TASK_ID is set/],
    ['auto/8', { JOB_COMPLETION_INDEX: 'x' }, /say which part/],
    ['auto/8', { JOB_COMPLETION_INDEX: '8' }, /part 9 here/],
    // `--array=3,5` begins two of eight parts again; the others are arrays of another size, with steps, or without their ends.
    ['auto/8', slurm('3', '3', '5', '2'), /tasks: 2.*--part i\/8/],
    ['auto/8', slurm('5', '3', '5', '2'), /--part i\/8/],
    ['auto/2', slurm('5', '3', '5', '2'), /--part i\/2/],
    ['auto/3', slurm('1', '1', '3', '2'), /--part i\/3/],
    ['auto/4', slurm('0', '0', '2', '3'), /--part i\/4/],
    ['auto/3', slurm('3', '0', '2', '3'), /no more tasks/],
    ['auto/3', { SLURM_ARRAY_TASK_ID: '2' }, /--part i\/3/],
  ] as const) {
    t.throws(() => parsePart(text, environment), { code: 'PART', message }, text);
  }
  t.end();
});

t.test('a sink whose files parts would share is refused', async (t) => {
  const part = { index: 1, of: 2 };
  await t.rejects(runNumbered(t.testdir({}), images(), { part }), { code: 'PART_SINK', message: /the sink images/ });
});
