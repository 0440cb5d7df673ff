import { join, resolve } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { z } from 'zod';
import { PatchstreamError } from '../../../src/errors.ts';
import { pathOption } from '../../../src/files/path-option.ts';
import { models } from '../../../src/models/index.ts';
import type { Definition } from '../../../src/pipeline/definition.ts';
import { readDocument } from '../../../src/pipeline/file/document.ts';
import type { Path } from '../../../src/pipeline/file/locate.ts';
import { override } from '../../../src/pipeline/file/override.ts';
import { parsePipeline } from '../../../src/pipeline/file/parse.ts';
import { createRegistry } from '../../../src/pipeline/registry.ts';
import { defineStage } from '../../../src/stages/stage.ts';
import { defineTracker } from '../../../src/trackers/define.ts';
import * as small from '../registry.ts';

const tint = defineStage({
  name: 'tint',
  summary: 'A stage with an option of its own name.',
  options: z.strictObject({
    tint: z.number().optional(),
    table: pathOption().optional(),
    tables: z.array(pathOption()).optional(),
  }),
  needs: [],
  output: (spec) => spec,
  run: () => (sample: object) => sample,
});
const board = defineTracker({
  name: 'board',
  summary: 'Looks on.',
  options: z.strictObject({ port: z.number().optional(), folder: pathOption().optional() }),
  open: () => ({ event() {} }),
});
const registry = createRegistry({
  trackers: [board],
  stages: [small.decode, small.resize, small.mask, tint],
  sources: [small.imageFolder],
  sinks: [small.images],
  models,
  measures: [...small.registry.measures.values()],
});

const text = `
source: { image-folder: { path: photos } }
stages:
  - decode
  - resize: { size: 64, id: early }
  - tint: { tint: 1, timeout: 5 }
  - mask: 0.5
  - mask: 0.6
train: { model: { lomar: { size: nano } }, batch: 2, steps: 3, optimizer: { adamw: { lr: 1, betas: [0.5, 0.9] } } }
evaluate: { at: [end], source: { image-folder: held }, knn: { on: { image-folder: x }, k: 3 }, measures: [{ knn: { k: 1 } }, { linear: {} }] }
seed: 4
track: [board: { port: 1 }]
`;

function definitionOf(yaml = text, file = '/jobs/p.yaml'): Definition {
  const place = { file, base: '/jobs', secrets: [{ value: 'hush', shown: '***' }] as never[], uses: [] };
  const { definition, problems } = parsePipeline(readDocument(yaml, file).root!, registry, place);
  t.same(problems.list, []);
  return definition;
}

const base = definitionOf();
const over = (...sets: string[]) => {
  const { definition, problems } = override(base, sets);
  t.same(problems, [], sets.join(' '));
  return definition;
};
/** What is said against a value, behind its own text. */
const against = (set: string, definition = base) => {
  const { problems, definition: same } = override(definition, [set]);
  t.equal(same, definition, 'and nothing is laid over');
  return problems.map(({ error, place }) => {
    t.same([error.code, error.where, place], ['SET_PATH', `--set ${set}`, { file: `--set ${set}` }]);
    return error.text.replace('`--set` must name an option as path=value; got ', '');
  })[0];
};

t.test('each refusal says what was found and what to write', (t) => {
  const how = 'Write it as `--set train.epochs=1`.';
  const said: Record<string, string> = {
    '': `''. ${how}`,
    '=1': `'=1'. ${how}`,
    'train..batch=1': `'train..batch=1'. ${how}`,
    'train.=1': `'train.=1'. ${how}`,
    use: `'use'. ${how}`,
    'use=x':
      '`use`. It may begin with source, stages, sink, train, evaluate, track, name, seed, output, permits, threads, reads, cells.',
    'sead=x': '`sead`. Did you mean `seed`?',
    'track=[]': '`track` as a whole. Set one of its options: `track.name.option=value`. `track=null` takes it out.',
    'track.board=1':
      'the tracker `board` as a whole. Set one of its options: `track.board.option=value`. `track.board=null` takes it out.',
    'track.bord.port=1': '`bord` in `track`. Did you mean `board`?',
    'track.prometheus.port=1': '`prometheus` in `track`. It has 0 to 0, board.',
    'extends=x':
      '`extends`. It may begin with source, stages, sink, train, evaluate, track, name, seed, output, permits, threads, reads, cells.',
    'sink=images': '`sink` as a whole. Set one of its options: `sink.option=value`. `sink=null` takes it out.',
    'source=x': '`source` as a whole. Set one of its options: `source.option=value`.',
    'evaluate.knn.on={a: b}': '`evaluate.knn.on` as a whole. Set one of its options: `evaluate.knn.on.option=value`.',
    'train.model=[]': '`train.model` as a whole. Set one of its options: `train.model.option=value`.',
    'train.optimizer.prototype=1': '`prototype`. Name an option.',
    'train.constructor.x=1': '`constructor`. Name an option.',
    'train.batch.a.b=1': '`a.b` below `train.batch`, which is no map. Set `train.batch` itself.',
    'sink.a.b=1': '`a.b` below `sink`, which the pipeline has not. Write `sink` in the file.',
    'evaluate.linear.on.path=1':
      '`path` below `evaluate.linear.on`, which the pipeline has not. Write `evaluate.linear.on` in the file.',
    'stages.earli.size=1': '`earli` in `stages`. Did you mean `early`?',
    'stages.5.size=1': '`5` in `stages`. It has 0 to 4, decode, early, tint, mask, mask#2.',
    'stages.resize.size=1': '`resize` in `stages`. It has 0 to 4, decode, early, tint, mask, mask#2.',
    'stages.-1.size=1': '`-1` in `stages`. It has 0 to 4, decode, early, tint, mask, mask#2.',
    'train.optimizer.adamw.betas.2=1': '`2` in `train.optimizer.adamw.betas`. It has 0 to 1.',
    'stages.mask#2=0.1':
      'the stage `mask#2` as a whole. Set one of its options: `stages.mask#2.option=value`. `stages.mask#2=null` takes it out.',
    'stages.3.mask=null': '`stages.3.mask` as an option. `stages.3=null` takes `mask` out.',
    'source.image-folder=null': '`source.image-folder` as an option. `source=null` takes `image-folder` out.',
    'seed=[1': "'[1'. The value must be YAML: Flow sequence must end with a ]. Quote it.",
    'seed=!no 1': "'!no 1'. The value must be YAML: Unresolved tag: !no. Quote it.",
    'seed=*a': "'*a'. The value must be YAML: Unresolved alias (the anchor must be set before the alias): a. Quote it.",
  };
  for (const [set, text] of Object.entries(said)) t.equal(against(set), text, set);
  t.end();
});

t.test('of a value of YAML there are ten at most, that it was named in among them', (t) => {
  const list = (count: number) => `train.x=[&a 1${', *a'.repeat(count)}]`;
  t.same((over(list(9)).train as { x?: number[] }).x, Array(10).fill(1));
  t.match(against(list(10)), /The value must be YAML: Excessive alias count/);
  t.end();
});

t.test('an option may have the name of what it belongs to', (t) => {
  const optionsOf = (set: string) => {
    const { stage } = over(set).stages[2]!;
    return stage.kind === 'defined' && stage.options;
  };
  t.same(optionsOf('stages.tint.tint=7'), { tint: 7 });
  t.same(optionsOf('stages.2.tint.tint=7'), { tint: 7 });
  t.same(optionsOf('stages.2.tint=null'), {});
  const { stage } = over('stages.3.mask=0.3').stages[3]!;
  t.same(
    stage.kind === 'defined' && stage.options,
    { ratio: 0.5, mask: 0.3 },
    'it is for check to say that there is none',
  );
  const bare = definitionOf(text.replace('{ tint: 1, timeout: 5 }', ''));
  t.match(against('stages.tint.tint=null', bare), /`stages.2.tint` as an option/);
  t.end();
});

t.test('policies stand beside the options of a stage, and at nothing else', (t) => {
  const { stages, source } = over(
    'stages.2.timeout=9',
    'stages.2.maxFailures=5%',
    'stages.2.table=a',
    'source.id=5',
    'stages.0.id=d',
  );
  t.match(stages[2], { stage: { policy: { timeout: 9, maxFailures: '5%' }, options: { tint: 1 } } });
  t.same(Object.keys(stages[2]!.stage.policy), ['timeout', 'maxFailures']);
  t.match(source, { source: { options: { path: 'photos', id: 5 } } });
  t.same(stages[0]!.stage.policy, { id: 'd' });
  t.same(over('stages.2.timeout=null').stages[2]!.stage.policy, {});
  const each = { stage: { kind: 'each', name: 'fn', policy: {}, fn: (sample: object) => sample } } as never;
  const { definition } = override({ ...base, stages: [each] }, ['stages.fn.other=1', 'stages.0.concurrency=2']);
  t.same(
    definition.stages[0]!.stage.policy,
    { other: 1, concurrency: 2 },
    'a stage without options has policies alone',
  );
  t.end();
});

t.test('name, seed and output: what null leaves, and that the folder follows the name', (t) => {
  const here = (path: string) => resolve(path);
  const part = ({ name, seed, output }: Definition) => [name, seed, output];
  t.same(part(base), ['p', 4, here('runs/p')]);
  t.same(part(over('name=x')), ['x', 4, here('runs/x')]);
  t.same(part(over('name=7')), [7, 4, here('runs/7')]);
  t.same(part(over('name=x', 'name=null')), ['p', 4, here('runs/p')]);
  t.same(part(over('output=o', 'name=x')), ['x', 4, here('o')]);
  t.same(part(over('output=/abs/./o')), ['p', 4, '/abs/o']);
  t.same(part(over('output=o', 'output=null')), ['p', 4, here('runs/p')]);
  t.same(part(over('output=', 'seed=null')), ['p', 0, '']);
  t.same(part(over('output="  "')), ['p', 4, '']);
  t.same(part(over('output=5')), ['p', 4, here('5')]);
  t.same([over('permits=3').permits, over('permits=3', 'permits=null').permits], [3, undefined]);
  t.notOk('permits' in over('permits=3', 'permits=null'));
  t.notOk('train' in over('train=null'));
  t.equal(over('train.x=').train!['x' as 'init'], '', 'nothing after = is an empty text');
  t.equal(over('train.x="a=b"').train!['x' as 'init'], 'a=b');
  t.ok(Object.isFrozen(over('seed=1')));
  t.equal(base.seed, 4, 'what it was made of stays');
  t.end();
});

t.test('trackers by name or number, and without them', (t) => {
  const tracker = (options: object) => [
    { tracker: { name: 'board', options, definition: registry.trackers.get('board') } },
  ];
  t.strictSame(over('track.board.port=2').track, tracker({ port: 2 }));
  t.strictSame(over('track.0.folder=f').track, tracker({ port: 1, folder: resolve('f') }));
  t.same(over('track.board=null').track, []);
  t.notOk('track' in over('track=null'));
  const mixed = { ...base, track: [base.track![0]!, 'text' as never] };
  t.match(against('track.board.port=2', mixed), /`board` in `track`\. It has 0 to 1\./);
  t.end();
});

t.test('relative paths start at the working directory where the schema says that they are paths', (t) => {
  const here = (path: string) => join(process.cwd(), path);
  const options = (set: string) => over(set).stages[2]!.stage as { options?: unknown };
  t.match(options('stages.2.table=a').options, { table: here('a') });
  t.match(options('stages.2.tables=[a, /b]').options, { tables: [here('a'), '/b'] });
  t.match(over('source.path=./a').source.source.options, { path: here('a') });
  t.match(over('source={}'.replace('={}', '.repeat=2')).source.source.options, { path: 'photos', repeat: 2 });
  t.match(over('train.init=w').train, { init: here('w') });
  t.match(over('evaluate.linear.reference=a').evaluate, { linear: { reference: here('a') } });
  t.match(over('evaluate.measures.1.linear.on=a').evaluate, {
    measures: [{ knn: { k: 1 } }, { linear: { on: here('a') } }],
  });
  t.match(over('stages.0.timeout=a').stages[0]!.stage.policy, { timeout: 'a' }, 'a policy is none');
  t.end();
});

t.test('an error that is none of ours is thrown', (t) => {
  const registryThatThrows = new Proxy(
    {},
    {
      get: () => {
        throw new RangeError('mine');
      },
    },
  );
  t.throws(() => override({ ...base, registry: registryThatThrows as never }, ['seed=1']), { message: 'mine' });
  t.equal(override(base, []).definition, base);
  t.end();
});

/** A stage of the list as it is expected: where it stood at first, and which values were laid over its options. */
interface Expected {
  readonly first: number;
  readonly options: Map<string, { value: number; set: string }>;
}

t.test('any row of values: each is read back where it stands, and the rest is where it was, with its place', (t) => {
  const places = { place: (path: Path) => ({ file: path.join('/') }), secrets: [] };
  const count = 6;
  const stages = Array.from({ length: count }, () => base.stages[2]!);
  const start: Definition = { ...base, stages, origin: places };
  const step = fc.record({
    at: fc.nat({ max: count - 1 }),
    key: fc.constantFrom('table', 'tint', 'timeout'),
    value: fc.option(fc.nat({ max: 99 }), { nil: undefined }),
    whole: fc.integer({ min: 0, max: 2 }).map((n) => n === 0),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
      const list: Expected[] = Array.from({ length: count }, (_, first) => ({ first, options: new Map() }));
      const sets: string[] = [];
      for (const { at, key, value, whole } of steps) {
        if (at >= list.length) continue;
        const set = whole ? `stages.${at}=null` : `stages.${at}.${key}=${value ?? 'null'}`;
        // An option that has the stage's name can be taken out once.
        if (!whole && key === 'tint' && value === undefined) continue;
        sets.push(set);
        if (whole) list.splice(at, 1);
        else list[at]!.options.set(key, { value: value as number, set });
      }
      const { definition, problems } = override(start, sets);
      t.strictSame(problems, []);
      const seen = definition.stages.map(({ stage }, i) => {
        const { options, policy } = stage as unknown as {
          options: Record<string, unknown>;
          policy: Record<string, unknown>;
        };
        const place = (key: string) => definition.origin!.place(['stages', i, 'tint', key])?.file;
        return ['table', 'tint', 'timeout'].map((key) => [(key === 'timeout' ? policy : options)[key], place(key)]);
      });
      const standard: Record<string, unknown> = { tint: 1, timeout: 5 };
      const expected = list.map(({ first, options }) =>
        ['table', 'tint', 'timeout'].map((key) => {
          const own = options.get(key);
          return own === undefined ? [standard[key], `stages/${first}/tint/${key}`] : [own.value, `--set ${own.set}`];
        }),
      );
      t.strictSame(seen, expected);
    }),
    { seed: 5, numRuns: 60 },
  );
  t.end();
});

t.test('places: below what was set, beside it, behind what was taken out, and what must not be shown', (t) => {
  const { origin } = over('train.optimizer={adamw: {lr: 2}}', 'evaluate.measures.0=null', 'evaluate.knn.on.repeat=2');
  const at = (...path: (string | number)[]) => origin!.place(path);
  const set = { file: '--set train.optimizer={adamw: {lr: 2}}' };
  t.same([at('train', 'optimizer'), at('train', 'optimizer', 'adamw', 'lr')], [set, set]);
  t.match(at('train'), { file: '/jobs/p.yaml', line: 9, column: 8 });
  t.same(at('evaluate', 'measures', 0, 'linear'), base.origin!.place(['evaluate', 'measures', 1, 'linear']));
  t.same(at('evaluate', 'measures'), base.origin!.place(['evaluate', 'measures']));
  t.same(
    origin!.place(['evaluate', 'measures', 0, 'linear'], true),
    base.origin!.place(['evaluate', 'measures', 1, 'linear'], true),
  );
  t.same(at('evaluate', 'knn', 'on', 'image-folder', 'repeat'), { file: '--set evaluate.knn.on.repeat=2' });
  t.equal(origin!.secrets, base.origin!.secrets);
  const bare = override({ ...base, origin: undefined as never }, ['seed=1', 'stages.0=null']).definition.origin!;
  t.same([bare.place(['seed']), bare.place(['stages', 0]), bare.secrets], [{ file: '--set seed=1' }, undefined, []]);
  t.end();
});

t.test('null takes out what was there alone, and what was not there stays so', (t) => {
  const { evaluate } = over('evaluate.linear.on=null', 'evaluate.at=null', 'evaluate.nothing.deep=null');
  t.same(Object.keys(evaluate!), ['source', 'knn', 'measures']);
  t.same(over('train.optimizer.adamw.betas.0=null').train?.optimizer, { adamw: { lr: 1, betas: [0.9] } });
  t.same(over('train.optimizer.adamw.betas.1=0.7').train?.optimizer, { adamw: { lr: 1, betas: [0.5, 0.7] } });
  t.same(over('train.schedule.cosine.minLr=0').train?.schedule, { cosine: { minLr: 0 } }, 'maps are made on the way');
  t.match(over('train.model.size=tiny').train?.model, { model: { name: 'lomar', options: { size: 'tiny' } } });
  t.match(over('evaluate.source.path=y').evaluate, { source: { source: { options: { path: resolve('y') } } } });
  t.ok(override(base, ['no.thing=1', 'seed=2']).definition.seed === 2, 'one that is refused stops no other');
  t.ok(override(base, ['x=1']).problems[0]!.error instanceof PatchstreamError);
  t.end();
});
