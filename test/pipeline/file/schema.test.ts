// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in pipeline files look like templates
import { Ajv2020 } from 'ajv/dist/2020.js';
import t from 'tap';
import { parse } from 'yaml';
import { z } from 'zod';
import { pathOption } from '../../../src/files/path-option.ts';
import { defineMeasure } from '../../../src/measures/define.ts';
import { pipelineSchema } from '../../../src/pipeline/file/schema.ts';
import type { JsonSchema } from '../../../src/pipeline/options.ts';
import { createRegistry } from '../../../src/pipeline/registry.ts';
import { stagesPage } from '../../../src/pipeline/stages-page.ts';
import { defineStage } from '../../../src/stages/stage.ts';
import { defineTracker } from '../../../src/trackers/define.ts';
import * as small from '../registry.ts';

const side = z.int().min(1).describe('A side.');
const wide = defineStage({
  name: 'wide',
  summary: 'Has options of every kind.',
  options: z.strictObject({
    table: pathOption().default('t'),
    mail: z.email().optional(),
    word: z.enum(['a|b', 'c']).default('c').describe('Is <this> or | that.'),
    one: z.literal(3).optional(),
    pair: z.tuple([z.number(), z.enum(['x', 'y'])]).optional(),
    list: z.array(side).optional(),
    free: z.record(z.string(), z.boolean()).optional(),
    deep: z.strictObject({ inner: side.meta({ formerly: 'core' }), more: z.string().optional() }).optional(),
    off: z.boolean().default(false),
    fixed: z.strictObject({ a: side }),
  }),
  needs: [],
  output: (spec) => spec,
  run: () => (sample: object) => sample,
});
const gauge = defineMeasure({
  name: 'gauge',
  summary: 'Measures.',
  options: z.strictObject({ inner: z.strictObject({ on: z.number().optional() }).optional() }),
  data: ['on', 'reference'],
  values: { x: {} },
  run: async () => ({ numbers: { x: 1 } }),
});
const board = defineTracker({
  name: 'board',
  summary: 'Looks on.',
  options: z.strictObject({ port: side.optional() }),
  shorthand: 'port',
  open: () => ({ event() {} }),
});
const registry = createRegistry({
  stages: [small.decode, small.resize, wide],
  sources: [small.imageFolder],
  sinks: [small.images],
  models: [...small.registry.models.values()].slice(0, 1),
  measures: [gauge],
  trackers: [board],
});
const schema = pipelineSchema(registry);
const parts = schema.$defs as Readonly<Record<string, JsonSchema>>;
const valid = new Ajv2020({ strict: false, formats: { email: true } }).compile(schema);

/** The schema of an option of `wide`, in files by themselves or over others. */
function optionOf(name: string, over = false): JsonSchema {
  const map = parts[over ? 'stageOver' : 'stage']!.anyOf![1]!.properties!.wide!;
  const own = over ? map.anyOf![0]! : map;
  return own.anyOf![0]!.properties![name]!;
}
const reference = { $ref: '#/$defs/reference' };

t.test('each kind of option as editors know it', (t) => {
  t.same(optionOf('table'), { type: 'string', minLength: 1, default: 't' }, 'that it is a path is a mark of ours');
  t.match(optionOf('mail'), { type: 'string', format: 'email' });
  t.same(optionOf('word'), {
    anyOf: [{ type: 'string', enum: ['a|b', 'c'] }, reference],
    description: 'Is <this> or | that.',
    default: 'c',
  });
  t.same(optionOf('off'), { anyOf: [{ type: 'boolean' }, reference], default: false });
  t.same(optionOf('one'), { anyOf: [{ type: 'number', const: 3 }, reference] });
  const number = { anyOf: [{ type: 'number' }, reference] };
  t.same(optionOf('pair').prefixItems, [number, { anyOf: [{ type: 'string', enum: ['x', 'y'] }, reference] }]);
  const aSide = {
    anyOf: [{ type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER }, reference],
    description: 'A side.',
  };
  t.same(optionOf('list'), { type: 'array', items: aSide });
  t.same(optionOf('free').additionalProperties, { anyOf: [{ type: 'boolean' }, reference] });
  t.same(optionOf('deep'), {
    ...{ type: 'object', properties: { inner: aSide, more: { type: 'string' } } },
    ...{ required: ['inner'], additionalProperties: false },
  });
  t.same(optionOf('deep', true), {
    anyOf: [
      {
        type: 'object',
        properties: {
          inner: { anyOf: [aSide, { type: 'null' }] },
          more: { anyOf: [{ type: 'string' }, { type: 'null' }] },
        },
        additionalProperties: false,
      },
      { type: 'null' },
    ],
  });
  t.same(optionOf('list', true), { anyOf: [{ type: 'array', items: aSide }, { type: 'null' }] }, 'items are not null');
  t.ok(optionOf('timeout') && optionOf('id') && optionOf('concurrency') && optionOf('maxFailures'));
  t.notOk(JSON.stringify(schema).includes('formerly'));
  t.end();
});

t.test('names, with and without options, and what each file may leave out', (t) => {
  const names = ['file', 'source', 'stage', 'sink', 'model', 'tracker'];
  t.same(Object.keys(parts), ['reference', ...names, ...names.map((name) => `${name}Over`)]);
  t.same([parts.file!.required, parts.fileOver!.required], [['source', 'stages'], undefined]);
  const map = (name: string) => parts[name]!.anyOf![1]!;
  t.match([map('stage'), map('stageOver')], [{ minProperties: 1, maxProperties: 1 }, {}]);
  t.notOk('minProperties' in map('stageOver') || 'maxProperties' in map('stageOver'));
  const { resize, decode } = map('stage').properties!;
  t.equal(resize!.description, 'Makes pictures of one size.');
  t.same([resize!.anyOf!.length, decode!.anyOf!.length], [3, 2], 'a bare value where there is a shorthand');
  t.same(resize!.anyOf![2], resize!.anyOf![0]!.properties!.size);
  const over = (name: string) => JSON.stringify(parts[name]).match(/#\/\$defs\/\w+/g) ?? [];
  const own = [
    '#/$defs/model',
    '#/$defs/reference',
    '#/$defs/sink',
    '#/$defs/source',
    '#/$defs/stage',
    '#/$defs/tracker',
  ];
  t.same([...new Set(over('file'))].sort(), own);
  t.same(
    [...new Set(over('fileOver'))].sort(),
    own.map((name) => (name.endsWith('reference') ? name : `${name}Over`)),
  );
  t.end();
});

const chain = 'source: { image-folder: x }\nstages: [decode, resize: 8]\n';
const right = [
  chain,
  'source: image-folder\nstages: []\n',
  `${chain}sink: { images: { sheet: true } }\ntrack: [board, board: 3, board: { port: 3 }]\n`,
  chain.replace('decode', 'decode: { timeout: 3, id: a, maxFailures: 5% }'),
  chain.replace('resize: 8', 'resize: { size: "${SIDE}" }'),
  chain.replace('resize: 8', 'resize: "${SIDE:-8}"'),
  chain.replace('decode', 'wide: { fixed: { a: 1 }, mail: a@b.org, pair: [1, x], free: { any: true } }'),
  `${chain}evaluate: { every: { steps: 3 }, gauge: { on: x, reference: { image-folder: y }, limit: { on: 3 } } }\n`,
  `${chain}evaluate: { source: image-folder, stages: [decode], measures: [gauge: { on: image-folder, inner: { on: 3 } }] }\n`,
  `use: m.ts\n${chain.replace('decode', 'mine: { any: 1 }')}sink: mine\nevaluate: { mine: {}, measures: [mine: {}] }\ntrack: [mine]\n`,
  `use: [m.ts, n.ts]\n${chain}train: { model: mine, batch: 2 }\n`,
  'extends: a\nstages: [mine, decode: { timeout: null }]\nsource: { image-folder: null, mine: {} }\n',
  'extends: [a, b]\ntrain: { batch: null, model: { mine: 3 } }\ntrack: null\nevaluate: { gauge: { on: null }, mine: 3 }\n',
];
const wrong = [
  'source: image-folder\n',
  'stages: []\n',
  '[]\n',
  `${chain}stagse: []\n`,
  chain.replace('decode', '3'),
  chain.replace('decode', 'decode: { x: 1 }'),
  chain.replace('decode', 'decode: { timeout: 0 }'),
  chain.replace('decode', 'decode: {}, resize: 8').replace('[', '[{').replace(', resize: 8]', '}, resize: 8]'),
  chain.replace('resize: 8', 'resize: 0'),
  chain.replace('resize: 8', 'resize: big'),
  chain.replace('resize: 8', 'resize: "${1}"'),
  chain.replace('resize: 8', 'resize: "a ${B}"'),
  chain.replace('resize: 8', 'resize: {}'),
  chain.replace('decode', 'wide: { fixed: { a: 1, b: 2 } }'),
  chain.replace('decode', 'wide: { fixed: { a: 1 }, deep: null }'),
  chain.replace('decode', 'mine'),
  chain.replace('decode', 'mine: {}'),
  chain.replace('image-folder: x', 'mine: x'),
  `${chain}sink: mine\n`,
  `${chain}train: { model: mine, batch: 2 }\n`,
  `${chain}track: [mine]\n`,
  `${chain}track: board\n`,
  `${chain}track: [board: { port: 0 }]\n`,
  `${chain}evaluate: { mine: {} }\n`,
  `${chain}evaluate: { measures: [mine: {}] }\n`,
  `${chain}evaluate: { gauge: { on: [x] } }\n`,
  `${chain}evaluate: { gauge: { inner: { on: x } } }\n`,
  `${chain}evaluate: { stages: [decode: { x: 1 }] }\n`,
  `${chain}evaluate: null\n`,
  `${chain}evaluate: { measures: [gauge: { nothing: 1 }] }\n`,
  `${chain}evaluate: { measures: [] }\n`,
  `${chain}evaluate: { gauge: { on: { image-folder: { bad: 1 } } } }\n`,
  `${chain}evaluate: { measures: gauge }\n`,
  `${chain}use: ""\n`,
  `${chain}seed: -1\n`,
  'extends: []\nstages: [decode: { x: 1 }]\n',
  'extends: a\nstages: {}\n',
  'extends: [""]\n',
];

t.test('what the schema takes and what it does not', (t) => {
  for (const text of right) t.ok(valid(parse(text)), `${text}${JSON.stringify(valid.errors?.[0])}`);
  for (const text of wrong) t.notOk(valid(parse(text)), text);
  t.end();
});

t.test('the page: what is offered, in tables whose cells hold no bars of their own', (t) => {
  const page = stagesPage(registry);
  const part = (head: string) => page.split(`\n${head}\n`)[1]!.split(/\n##/)[0]!.trim().split('\n');
  t.same(part('### `decode`'), ['Opens a picture.', '', 'No options.']);
  t.same(part('### `resize`').slice(0, 7), [
    'Makes pictures of one size.',
    '',
    '`resize: value` is short for `resize: { size: value }`.',
    '',
    '| option | takes | default | |',
    '| --- | --- | --- | --- |',
    '| `size` | an integer from 1 to 4096 | required | Side in pixels. |',
  ]);
  t.ok(page.includes('| `word` | a\\|b or c | c | Is &lt;this> or \\| that. |'));
  t.ok(page.includes('| `deep.inner` | an integer from 1 | required | A side. |'));
  t.same(page.match(/^## .*$/gm), [
    '## The file',
    '## Sources',
    '## Stages',
    '## Sinks',
    '## Models',
    '## Trackers',
    '## `train`',
    '## `evaluate`',
  ]);
  const evaluate = part('## `evaluate`');
  const takes = (option: string) => evaluate.find((line) => line.startsWith(`| \`${option}\``))?.split(' | ')[1];
  const place = 'a folder, or one of the [sources](#sources)';
  t.same(['source', 'stages', 'gauge.on', 'gauge.reference', 'gauge.stages'].map(takes), [
    ...['one of the [sources](#sources)', 'a list of [stages](#stages)', place, place, 'a list of [stages](#stages)'],
  ]);
  t.same(
    ['gauge.limit.on', 'gauge.limit.reference'].map(takes),
    ['an integer from 1', 'an integer from 1'],
    'a number, whatever its name',
  );
  t.ok(part('## `train`').some((line) => line.startsWith('| `model` | one of the [models](#models) | required |')));
  const file = part('## The file');
  t.equal(file[0], '| key | takes | default | |');
  t.match(file[2], /^\| `extends` \| a path, or a list of them \| {2}\| Files that/);
  t.match(file[4], /^\| `source` \| one of the \[sources\]\(#sources\) \| required \| Where/);
  const bare = stagesPage(createRegistry({}));
  t.same(bare.match(/^## .*$/gm), ['## The file', '## `train`', '## `evaluate`'], 'no head over nothing');
  t.ok(page.endsWith('|\n') && !page.endsWith('\n\n'));
  t.end();
});
