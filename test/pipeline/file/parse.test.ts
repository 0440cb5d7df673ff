import t from 'tap';
import { z } from 'zod';
import type { Definition } from '../../../src/pipeline/definition.ts';
import { readDocument } from '../../../src/pipeline/file/document.ts';
import type { Place } from '../../../src/pipeline/file/locate.ts';
import { parsePipeline, topKeys } from '../../../src/pipeline/file/parse.ts';
import type { Problem } from '../../../src/pipeline/problem.ts';
import type { Source } from '../../../src/sources/source.ts';
import { defineTracker } from '../../../src/trackers/define.ts';
import { registry as small } from '../registry.ts';

const board = defineTracker({
  name: 'board',
  summary: 'Looks on.',
  options: z.strictObject({ port: z.number().optional(), every: z.number().optional() }),
  shorthand: 'port',
  open: () => ({ event() {} }),
});
const registry = small.with({ trackers: [board] });
const file = '/jobs/p.yaml';
const chain = 'source: { image-folder: ./photos }\nstages: [decode]\n';

function parse(text: string, more: { uses?: readonly string[]; secrets?: { value: string; shown: string }[] } = {}) {
  const root = readDocument(text, file).root!;
  const given = { secrets: [], uses: [], ...more };
  const { definition, problems } = parsePipeline(root, registry, { file, base: '/jobs', ...given });
  return { definition, problems: problems.list };
}
const said = (text: string) => parse(text).problems.map(({ error }) => error.message.replaceAll(`${file}:`, ''));
const at = ({ place }: Problem) => [place?.line, place?.column];

t.test('a whole file: what each part becomes', (t) => {
  const uses = ['/jobs/mine.ts'];
  const secrets = [{ value: 'hush', shown: '$' }];
  const { definition, problems } = parse(
    `name: n\nseed: 3\npermits: 4\nthreads: auto\ncells: 5\noutput: ../o\nuse: [mine.ts]\nextends: b.yaml
source: { image-folder: { path: x, repeat: 2 } }
stages: [decode, resize: 8, mask: { ratio: 0.5, id: m, timeout: 3, concurrency: 2, maxFailures: 1 }, windows: null]
sink: images
train: { model: lomar, batch: 2 }
evaluate: { at: [end] }
`,
    { uses, secrets },
  );
  t.same(problems, []);
  const { source, stages, sink, train, evaluate, origin, ...rest } = definition;
  t.match(rest, { name: 'n', seed: 3, permits: 4, threads: 'auto', cells: 5, output: '/o', file, base: '/jobs', uses });
  t.equal(rest.registry, registry);
  t.equal(origin?.secrets, secrets);
  t.match(origin?.place(['seed']), { file, line: 2, column: 7 });
  t.match(origin?.place(['seed'], true), { file, line: 2, column: 1 });
  t.strictSame(source.source, {
    name: 'image-folder',
    options: { path: 'x', repeat: 2 },
    definition: registry.sources.get('image-folder'),
  });
  const [decode, resize, mask, windows] = stages.map(({ stage }) => stage);
  t.match(decode, {
    kind: 'defined',
    name: 'decode',
    policy: {},
    options: {},
    definition: registry.stages.get('decode'),
  });
  t.match(resize, { name: 'resize', options: { size: 8 } });
  t.strictSame(mask?.policy, { id: 'm', timeout: 3, concurrency: 2, maxFailures: 1 });
  t.match(mask, { name: 'mask', options: { ratio: 0.5 } });
  t.match(windows, { name: 'windows', options: {} }, 'null is a name without options');
  t.strictSame(sink?.sink, { name: 'images', options: {}, definition: registry.sinks.get('images') });
  t.strictSame(train?.model.model, { name: 'lomar', options: {}, definition: registry.models.get('lomar') });
  t.same(Object.keys(train!), ['model', 'batch']);
  t.same(evaluate, { at: ['end'] });
  t.same(Object.keys(parse(chain).definition).sort(), [
    ...['base', 'file', 'name', 'origin', 'output', 'registry', 'seed', 'source', 'stages', 'uses'],
  ]);
  t.same(topKeys.slice(0, 8), ['extends', 'use', 'source', 'stages', 'sink', 'train', 'evaluate', 'track']);
  t.end();
});

t.test('what is no map, or lacks a part that every pipeline has', (t) => {
  const whole = 'OPTION_VALUE: 1:1: `pipeline` must be a map of source, stages and what follows; got';
  t.same(said('- a\n- b\n'), [`${whole} ['a', 'b']. Write \`source:\` first.`]);
  t.same(said('3\n'), [`${whole} 3. Write \`source:\` first.`]);
  t.same(said('seed:3\n'), [`${whole} 'seed:3'. Put a space after the colon: \`seed: 3\`.`]);
  t.match(parse('[]').definition, { source: { source: { name: '?' } }, stages: [], file });
  t.same(said('seed: 1\n'), [
    'OPTION_MISSING: 1:1: `source` must be given: a source, such as `image-folder: { path: ./photos }`; got nothing. Add it at the top of the file.',
    'OPTION_MISSING: 1:1: `stages` must be given: a list of stages; got nothing. Add it at the top of the file.',
  ]);
  t.end();
});

t.test('keys at the top that are none', (t) => {
  const owner = 'a pipeline has no option';
  t.same(said(`${chain}stagse: 1\nzzzzzz: 2\n'seed:3': null\n`), [
    `OPTION_UNKNOWN: 3:1: ${owner} \`stagse\`. Did you mean \`stages\`?`,
    `OPTION_UNKNOWN: 4:1: ${owner} \`zzzzzz\`. It knows ${topKeys.join(', ')}.`,
    `OPTION_UNKNOWN: 5:1: ${owner} \`seed:3\`. Put a space after the colon: \`seed: 3\`.`,
  ]);
  t.end();
});

t.test('entries that name nothing', (t) => {
  const of = (entry: string) => said(chain.replace('decode', entry));
  const form = 'a stage must be a name, or a map with one name and its options; got';
  const one = 'Write `name` or `name: { option: value }`';
  t.same(of('3'), [`NAME_ENTRY: 2:10: ${form} 3. ${one}.`]);
  t.same(of('null'), [`NAME_ENTRY: 2:10: ${form} nothing. ${one}.`]);
  t.same(of('[decode]'), [`NAME_ENTRY: 2:10: ${form} ['decode']. ${one}.`]);
  t.same(of('{}'), [`NAME_ENTRY: 2:10: ${form} an empty map. ${one}.`]);
  t.same(of('{ resize: 8, size: 3 }'), [
    `NAME_ENTRY: 2:10: ${form} a map of resize, size. Indent the options further than the name: \`resize: { … }\`.`,
  ]);
  t.same(of('{ size: 3, resize: 8 }'), [
    `NAME_ENTRY: 2:10: ${form} a map of size, resize. Indent the options further than the name: \`resize: { … }\`.`,
  ]);
  t.same(of('{ resize: 8, decode: null }'), [
    `NAME_ENTRY: 2:10: ${form} a map of resize, decode. ${one}, each with a dash of its own.`,
  ]);
  t.same(of('{ a: 8, b: null }'), [`NAME_ENTRY: 2:10: ${form} a map of a, b. ${one}, each with a dash of its own.`]);
  t.end();
});

t.test('names that are not known: what stands in for each, and that no more is said of it', (t) => {
  const { problems, definition } = parse(`source: { image-fodler: x }
stages:
  - decode
  - { masc: { ratio: 2 } }
  - qqqqqq
  - resize:8
sink: { imagse: {} }
train: { model: { lomarr: {} } }
evaluate: { source: nowhere-to-be-found, stages: [x] }
`);
  const known = 'decode, mask, resize, windows';
  t.same(
    problems.map(({ error }) => error.text),
    [
      'a source must be one that is registered; got `image-fodler`. Did you mean `image-folder`?',
      'a stage must be one that is registered; got `masc`. Did you mean `mask`?',
      `a stage must be one that is registered; got \`qqqqqq\`. Known are ${known}.`,
      'a stage must be one that is registered; got `resize:8`. Put a space after the colon: `resize: 8`.',
      'a sink must be one that is registered; got `imagse`. Did you mean `images`?',
      'a model must be one that is registered; got `lomarr`. Did you mean `lomar`?',
      'a source must be one that is registered; got `nowhere-to-be-found`. Known are image-folder.',
      `a stage must be one that is registered; got \`x\`. Known are ${known}.`,
    ],
  );
  t.ok(problems.every(({ error }) => error.code === 'NAME_UNKNOWN'));
  t.same(problems.map(at), [
    [1, 11],
    [4, 7],
    [5, 5],
    [6, 5],
    [7, 9],
    [8, 19],
    [9, 13],
    [9, 51],
  ]);
  const { source, stages, sink, train, evaluate } = definition;
  t.match([source.source.name, sink?.sink.name, train?.model.model.name], ['?', '?', '?']);
  t.equal(evaluate?.source?.source.name, '?');
  t.same(
    stages.map(({ stage }) => stage.name),
    ['decode', 'masc', 'qqqqqq', 'resize:8'],
  );
  t.end();
});

t.test('a stand-in takes any options and leaves the spec open', async (t) => {
  const { definition } = parse('source: x\nstages: [y, 3]\nsink: z\ntrain: { model: w }\n');
  const { source, sink } = { source: definition.source.source, sink: definition.sink!.sink };
  t.same(source.definition.spec({} as never), { fields: {}, open: true });
  for (const one of [source, sink, definition.train!.model.model])
    t.ok(one.definition.options.safeParse({ any: [1] }).success);
  await t.rejects(source.definition.open({} as never, {} as never), { code: 'NAME_UNKNOWN' });
  const stages = definition.stages.map(
    ({ stage }) =>
      stage as unknown as {
        name: string;
        definition: typeof registry.stages extends ReadonlyMap<string, infer D> ? D : never;
      },
  );
  t.same(
    stages.map(({ name }) => name),
    ['y', '?'],
  );
  const [{ definition: stage }] = stages as [(typeof stages)[0]];
  t.same(stage.output({ fields: { a: 'bytes' }, size: [2, 3] }, {}, { base: '' }), {
    fields: { a: 'bytes' },
    size: [2, 3],
    open: true,
  });
  t.same([stage.needs, stage.options.safeParse(4).success], [[], true]);
});

t.test('stages that are no list, and too many', (t) => {
  const of = (stages: string) => said(`source: { image-folder: x }\nstages: ${stages}\n`);
  const head = 'OPTION_VALUE: 2:9: `stages` must be a list of stages; got';
  t.same(of('decode'), [`${head} 'decode'. Begin each stage with a dash.`]);
  t.same(of('{ decode: 1 }'), [`${head} a map of decode. Begin each stage with a dash.`]);
  t.same(of('resize:8'), [
    `${head} 'resize:8'. Begin each stage with a dash. Put a space after the colon: \`resize: 8\`.`,
  ]);
  const many = (count: number) => `[${Array(count).fill('decode').join(', ')}]`;
  t.same(parse(`source: { image-folder: x }\nstages: ${many(1000)}\n`).definition.stages.length, 1000);
  t.same(of(many(1000)), []);
  t.same(of(many(1001)), ['OPTION_VALUE: 2:9: `stages` must be a list of at most 1,000 stages; got 1,001 stages.']);
  t.same(parse(`source: { image-folder: x }\nstages: ${many(1001)}\n`).definition.stages, []);
  t.end();
});

t.test('a bare value is that of the shorthand, where there is one', (t) => {
  const optionsOf = (text: string) => (parse(text).definition.source.source as { options: unknown }).options;
  t.same(optionsOf(chain), { path: './photos' });
  t.same(optionsOf(chain.replace('./photos', '[a]')), { path: ['a'] });
  t.same(optionsOf(chain.replace('./photos', 'null')), {});
  t.same(optionsOf('source: image-folder\nstages: []\n'), {});
  t.match(parse(`${chain}sink: { images: true }\n`).definition.sink?.sink.options, true, 'none: it stays as it is');
  t.match(parse(`${chain}train: { model: { lomar: nano } }\n`).definition.train?.model.model.options, { size: 'nano' });
  t.match(parse(`${chain}train: { model: { lomar: [nano] } }\n`).definition.train?.model.model.options, {
    size: ['nano'],
  });
  t.end();
});

t.test('train: without a model, with an unknown one, and no map', (t) => {
  const of = (train: string) => parse(`${chain}train: ${train}\n`);
  t.same(of('{ batch: 3 }').definition.train, { batch: 3 });
  t.match(of('{ batch: 3, model: no }').definition.train, { batch: 3, model: { model: { name: '?', options: {} } } });
  t.equal(of('none').definition.train, 'none');
  t.same(of('null').definition.train, null);
  t.same(of('{ model: lomar, batch: 3 }').problems, []);
  t.end();
});

t.test('trackers: a list of names, with their options', (t) => {
  const of = (track: string) => parse(`${chain}track: ${track}\n`);
  const definition = registry.trackers.get('board');
  const tracker = (options: object) => ({ tracker: { name: 'board', options, definition } });
  t.strictSame(of('[board, board: 9, board: { every: 2 }]').definition.track, [
    tracker({}),
    tracker({ port: 9 }),
    tracker({ every: 2 }),
  ]);
  const list = 'OPTION_VALUE: 3:8: `track` must be a list of trackers; got';
  t.same(said(`${chain}track: board\n`), [`${list} 'board'. Begin each tracker with a dash.`]);
  t.same(said(`${chain}track: board:9\n`), [
    `${list} 'board:9'. Begin each tracker with a dash. Put a space after the colon: \`board: 9\`.`,
  ]);
  t.same(of('board').definition.track, []);
  const unknown = of('[board, bord]');
  t.match(unknown.problems, [{ error: { code: 'NAME_UNKNOWN', message: /Did you mean `board`/ } }]);
  t.same(unknown.problems.map(at), [[3, 16]]);
  t.same(
    unknown.definition.track?.map(({ tracker: { name } }) => name),
    ['board', '?'],
  );
  t.end();
});

t.test('evaluate: sources and stages wherever they may stand, looked up; a text is a folder', (t) => {
  const { definition, problems } = parse(`${chain}evaluate:
  source: { image-folder: a }
  stages: [decode]
  knn: { k: 3, on: { image-folder: b }, reference: folder }
  linear: { on: 7 }
  measures:
    - knn: { on: { image-folder: c }, stages: [resize: 8] }
    - { reconstruction: { on: d }, knn: { k: 1 } }
    - text
`);
  const { source, stages, knn, linear, measures } = definition.evaluate as unknown as Record<string, never>;
  const folder = (path: string): Source => ({
    source: { name: 'image-folder', options: { path }, definition: registry.sources.get('image-folder')! },
  });
  t.strictSame(source, folder('a'));
  t.match(stages, [{ stage: { name: 'decode' } }]);
  t.strictSame(knn, { k: 3, on: folder('b'), reference: 'folder' });
  const [first, second, third] = measures as unknown as [{ knn: Record<string, unknown> }, object, string];
  t.strictSame(first.knn.on, folder('c'));
  t.match(first.knn.stages, [{ stage: { name: 'resize', options: { size: 8 } } }]);
  t.same(Object.keys(first), ['knn']);
  t.same(second, { reconstruction: { on: 'd' }, knn: { k: 1 } });
  t.equal(third, 'text', 'what is no map stays, for check to say so');
  t.match(linear, { on: { source: { name: '?' } } });
  t.same(
    problems.map((problem) => [problem.error.code, ...at(problem)]),
    [['NAME_ENTRY', 7, 17]],
  );
  t.same(parse(`${chain}evaluate: often\n`).definition.evaluate, 'often');
  t.same(parse(`${chain}evaluate: { measures: often, knn: 5 }\n`).definition.evaluate, { measures: 'often', knn: 5 });
  t.end();
});

t.test('where names in evaluate stand that are not known', (t) => {
  const { problems } = parse(`${chain}evaluate:
  stages: [a]
  knn:
    on: { b: 1 }
    stages:
      - c
  measures:
    - knn: {}
    - knn: { reference: { d: 1 }, stages: [e] }
`);
  t.same(
    problems
      .map((problem) => [...at(problem), /got `(\w)`/.exec(problem.error.message)?.[1]])
      .sort(([a], [b]) => Number(a) - Number(b)),
    [
      [4, 12, 'a'],
      [6, 11, 'b'],
      [8, 9, 'c'],
      [11, 27, 'd'],
      [11, 44, 'e'],
    ],
  );
  t.end();
});

t.test('paths of another file start there, those of the file itself stay as they are', (t) => {
  const elsewhere: Place = { file: '/bases/b.yaml', line: 1, column: 1 };
  const root = readDocument('seed: 1\n', file).root!;
  const over = readDocument(
    'source: { image-folder: x }\nstages: []\ntrain: { init: w }\noutput: o\nevaluate: { knn: { on: y } }\n',
    elsewhere.file,
  ).root!;
  if (root.kind !== 'map' || over.kind !== 'map') throw new Error('no maps');
  const merged = { ...root, entries: new Map([...root.entries, ...over.entries]) };
  const place = { file, base: '/jobs', secrets: [], uses: [] };
  const { definition }: { definition: Definition } = parsePipeline(merged, registry, place);
  t.same(definition.source.source.options, { path: '/bases/x' });
  t.match(definition, {
    train: { init: '/bases/w' },
    output: '/bases/o',
    evaluate: { knn: { on: '/bases/y' } },
    seed: 1,
  });
  const written = readDocument('image-folder: { path: x }\n', elsewhere.file).root!;
  const map = { ...merged, entries: new Map([...merged.entries, ['source', written]]) };
  t.same(parsePipeline(map, registry, place).definition.source.source.options, { path: '/bases/x' });
  const own = parse(`${chain}train: { init: w }\noutput: o\n`).definition;
  t.match(own, { train: { init: 'w' }, output: '/jobs/o' });
  t.end();
});
