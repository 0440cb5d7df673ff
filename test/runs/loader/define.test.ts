import { resolve } from 'node:path';
import { map } from 'rxjs';
import t from 'tap';
import { soundPipeline } from '../../../src/pipeline/check.ts';
import { resolvePipeline } from '../../../src/pipeline/resolve/resolve.ts';
import { definePipeline, pipeline } from '../../../src/runs/loader/define.ts';
import { each, operator } from '../../../src/streams/stage.ts';
import { decode, mask, registry, resize, windows } from '../../pipeline/registry.ts';
import { folder } from '../../types/stages.ts';

const source = folder('./photos');
// As JavaScript and dynamic lists meet it: the compiler does not look at the order.
const unchecked = definePipeline as unknown as (parts: unknown) => ReturnType<typeof definePipeline>;

t.test('a definition is immutable, and has a name, a seed and an output', async (t) => {
  const definition = definePipeline({ source, stages: [decode()] });
  t.match(definition, { name: 'pipeline', seed: 0, output: resolve('runs', 'pipeline'), base: process.cwd() });
  t.ok(Object.isFrozen(definition) && Object.isFrozen(definition.stages));
});

t.test('what is no stage is refused where it is written', async (t) => {
  t.throws(() => unchecked({ source, stages: [(sample: unknown) => sample] }), { code: 'FUNCTION_BARE' });
  t.throws(() => unchecked({ source, stages: [decode] }), { code: 'FUNCTION_BARE' });
  t.throws(() => unchecked({ source, stages: ['decode'] }), { code: 'STAGE_VALUE' });
  t.throws(() => unchecked({ source, stages: [null] }), { code: 'STAGE_VALUE' });
});

t.test('behind a stage of unknown effect shapes are silent and options are checked', async (t) => {
  const chain = (...middle: ReturnType<typeof each>[]) => {
    const stages = [decode(), resize({ size: 64 }), ...middle, windows({ patch: 15, size: 5 }), mask({ ratio: 3 })];
    const definition = unchecked({
      source,
      stages,
    });
    return resolvePipeline(definition, registry, { ends: false }).problems.map(({ error }) => error.where);
  };
  t.same(chain(), ['stages[2] windows', 'stages[3] mask']);
  t.same(chain(each((sample) => sample)), ['stages[4] mask']);
  t.same(chain(operator(map((sample) => sample))), ['stages[4] mask']);
});

t.test('ids, policies and permits', async (t) => {
  const chain = pipeline(
    source,
    decode(),
    each(function brighter(sample) {
      return sample;
    }),
    each((sample) => sample, { name: 'brighter', concurrency: 3 }),
    operator(
      map((sample) => sample),
      { holds: 5, name: 'pairs' },
    ),
  );
  const { stages, capacity, problems } = resolvePipeline(
    definePipeline({ ...chain, threads: 2, permits: 7 }),
    registry,
    { ends: false },
  );
  t.same(
    stages.map(({ id }) => id),
    ['decode', 'brighter', 'brighter#2', 'pairs'],
  );
  t.same(stages[2]?.policy, { concurrency: 3 });
  t.equal(capacity.needed, 8);
  t.same(
    problems.map(({ error }) => error.code),
    ['PERMITS_TOO_FEW'],
  );
  t.equal(resolvePipeline(definePipeline({ ...chain, threads: 40 }), registry, { ends: false }).capacity.permits, 160);
});

t.test('all problems as one error', async (t) => {
  const definition = unchecked({ source, stages: [decode(), resize({ size: 0 }), mask({ ratio: 2 })] });
  try {
    soundPipeline(definition, registry);
    t.fail('sound');
  } catch (error) {
    t.match(error, { code: 'PIPELINE_PROBLEMS', problems: { length: 3 } });
    t.matchSnapshot((error as Error).message);
  }
});
