import fc from 'fast-check';
import t from 'tap';
import { z } from 'zod';
import { pathOption } from '../../src/files/path-option.ts';
import { reconstruction } from '../../src/measures/reconstruction/index.ts';
import { builtin } from '../../src/pipeline/builtin.ts';
import { evaluateOptions } from '../../src/pipeline/evaluate.options.ts';
import {
  firstOf,
  found,
  type JsonSchema,
  jsonSchema,
  optionText,
  parseOptions,
  schemaAt,
  typeText,
} from '../../src/pipeline/options.ts';
import { createRegistry } from '../../src/pipeline/registry.ts';
import { trainOptions } from '../../src/pipeline/train.options.ts';
import { faceCrop } from '../../src/stages/face-crop.ts';

const said = (schema: z.ZodType, options: unknown, also?: readonly string[]) =>
  parseOptions(schema, options, 'stage x', also).problems.map(({ error }) => error.message);

t.test('what a schema takes, in words', (t) => {
  const huge = Number.MAX_SAFE_INTEGER;
  const one: JsonSchema = { const: 'a' };
  const rows: [JsonSchema, string][] = [
    [{ type: 'integer' }, 'an integer'],
    [{ type: 'integer', minimum: -huge, maximum: huge }, 'an integer'],
    [{ type: 'integer', minimum: 1 - huge, maximum: huge - 1 }, `an integer from ${1 - huge} to ${huge - 1}`],
    [{ type: 'integer', minimum: 0 }, 'an integer from 0'],
    [{ type: 'integer', minimum: 1, maximum: 4 }, 'an integer from 1 to 4'],
    [{ type: 'number', maximum: 4 }, 'a number of at most 4'],
    [{ type: 'number', exclusiveMaximum: 1 }, 'a number below 1'],
    [{ type: 'number', exclusiveMinimum: 0 }, 'a number above 0'],
    [{ type: 'number', exclusiveMinimum: 0, minimum: -1, maximum: 1 }, 'a number above 0 to 1'],
    [{ type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 }, 'a number above 0 and below 1'],
    [{ type: 'number', minimum: 0, maximum: 2, exclusiveMaximum: 1 }, 'a number from 0 and below 1'],
    [{ type: 'boolean' }, 'true or false'],
    [{ type: 'string' }, 'text'],
    [{ type: 'string', minLength: 0 }, 'text'],
    [{ type: 'string', minLength: 1 }, 'text that is not empty'],
    [{ type: 'null' }, 'nothing'],
    [{}, 'a value'],
    [{ type: ['string', 'number'] }, 'a value'],
    [{ type: 'object' }, 'a map'],
    [{ type: 'object', properties: {} }, 'a map'],
    [{ type: 'object', properties: { a: {}, of: {} } }, 'a map of a, of'],
    [{ const: 0 }, '0'],
    [{ const: false, type: 'boolean' }, 'false'],
    [{ enum: ['a'] }, 'a'],
    [{ enum: ['a', 'b'], type: 'string' }, 'a or b'],
    [{ enum: ['a', 'b', 3] }, 'a, b or 3'],
    [{ anyOf: [one, { type: 'integer' }] }, 'a or an integer'],
    [{ oneOf: [one, { const: 'b' }], description: 'x' }, 'a or b'],
    [{ anyOf: [one, { const: 'c' }], oneOf: [one, { enum: ['b'] }] }, 'a, c or b'],
    [{ anyOf: [{ anyOf: [one, { const: 'b' }] }, { type: 'null' }] }, 'a or b or nothing'],
    [{ type: 'array' }, 'a list'],
    [{ type: 'array', items: true }, 'a list'],
    [{ type: 'array', items: { type: 'string' } }, 'a list, each text'],
    [{ type: 'array', minItems: 0 }, 'a list of at least 0'],
    [{ type: 'array', minItems: 2, maxItems: 3 }, 'a list of at least 2'],
    [{ type: 'array', maxItems: 3, items: one }, 'a list, each a'],
    [{ type: 'array', minItems: 3, maxItems: 3, items: one }, 'a list of 3, each a'],
    [{ type: 'array', prefixItems: [{ type: 'number' }, { type: 'number' }] }, 'a list of 2, each a number'],
    [{ type: 'array', prefixItems: [{ type: 'number' }, one] }, 'a list of a number, a'],
  ];
  for (const [schema, text] of rows) t.equal(typeText(schema), text, JSON.stringify(schema));
  t.end();
});

t.test('a value as messages name it', (t) => {
  const keys = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i]));
  const rows: [unknown, string][] = [
    [undefined, 'nothing'],
    [null, 'nothing'],
    ['', "''"],
    ['x'.repeat(60), `'${'x'.repeat(60)}'`],
    ['x'.repeat(61), `'${'x'.repeat(60)}…'`],
    [[], '[]'],
    [[1, 'a', [null]], "[1, 'a', [nothing]]"],
    [Array(8).fill(0), '[0, 0, 0, 0, 0, 0, 0, 0]'],
    [Array(9).fill(0), 'a list of 9'],
    [() => 1, 'a function'],
    [{}, 'an empty map'],
    [keys(2), 'a map of k0, k1'],
    [keys(9), 'a map of k0, k1, k2, k3, k4, k5, k6, k7'],
    [false, 'false'],
    [Number.NaN, 'NaN'],
    [0, '0'],
    [3n, '3'],
  ];
  for (const [value, text] of rows) t.equal(found(value), text);
  t.same([[], ['betas', 1], ['cosine', 'warmupSteps'], [0, 'a', 1, 2, 'b']].map(optionText), [
    '',
    'betas[1]',
    'cosine.warmupSteps',
    '[0].a[1][2].b',
  ]);
  t.end();
});

t.test('the schema at a path, through lists and every kind of union', (t) => {
  const [a, b, c] = [{ const: 'a' }, { const: 'b' }, { const: 'c' }] as const;
  const pair: JsonSchema = { prefixItems: [a, b], items: c };
  const schema: JsonSchema = {
    properties: { pair, open: { items: true }, none: {} },
    anyOf: [{ type: 'string' }, { properties: { any: a } }],
    oneOf: [{ properties: { one: b } }],
    allOf: [{ properties: { all: c, pair: a } }],
  };
  const at = (...path: (string | number)[]) => schemaAt(schema, path);
  t.equal(at(), schema);
  t.same([at('pair', 0), at('pair', 1), at('pair', 2)], [a, b, c]);
  t.same([at('any'), at('one'), at('all')], [a, b, c]);
  t.equal(at('pair'), pair, 'its own goes before those of its branches');
  for (const path of [['open', 0], ['none', 'x'], ['pair', 'x'], ['pair', '0'], ['no', 'more', 1], [0]])
    t.equal(at(...path), undefined, path.join('.'));
  t.end();
});

const side = z.int().min(1).describe('A side in pixels.');
const nested = z.object({
  size: side,
  kernel: z.enum(['nearest', 'cubic']).default('cubic'),
  flag: z.boolean().optional(),
  list: z.array(z.object({ ratio: z.number().optional() })).optional(),
  deep: z.object({ inner: side }).optional(),
  free: z.record(z.string(), z.number()).optional(),
});

t.test('options that are right come with their defaults; keys that nobody knows are problems, strict or not', (t) => {
  t.same(parseOptions(nested, { size: 2 }, 'x'), { value: { size: 2, kernel: 'cubic' }, problems: [] });
  const wrong = { size: 2, sise: 1, list: [{}, { rtio: 1 }], deep: { inner: 1, id: 3 }, free: { what: 1 } };
  const { value, problems } = parseOptions(nested, wrong, 'stage x', ['id', 'timeout']);
  t.equal(value, undefined);
  t.same(
    problems.map(({ path, key }) => [path.join('.'), key]),
    [
      ['sise', true],
      ['list.1.rtio', true],
      ['deep.id', true],
    ],
  );
  t.same(
    problems.map(({ error }) => error.message),
    [
      'OPTION_UNKNOWN: stage x has no option `sise`. Did you mean `size`?',
      'OPTION_UNKNOWN: stage x has no option `rtio`. Did you mean `ratio`?',
      'OPTION_UNKNOWN: stage x has no option `id`. It knows inner.',
    ],
  );
  t.match(
    said(nested, { size: 2, tmeout: 1 }, ['timeout']),
    [/Did you mean `timeout`/],
    'what may stand there besides',
  );
  t.match(said(nested, { size: 2, zzzzzz: 1 }, ['id']), [/It knows size, kernel, flag, list, deep, free, id\.$/]);
  t.match(said(z.strictObject({}), { a: 1 }), [/It has no options\.$/]);
  t.match(said(nested, { size: 2, 'size:3': null }), [/Put a space after the colon: `size: 3`\.$/]);
  t.same(said(z.object({ a: side }).catchall(z.number()), { a: 1, b: 2 }), [], 'where any name may stand');
  t.same(said(z.strictObject({}), { a: 1 }).length, 1, 'once, though a strict schema says so too');
  t.match(said(z.object({}), JSON.parse('{"hasOwnProperty":1,"__proto__":2}')), [/`hasOwnProperty`/, /`__proto__`/]);
  t.end();
});

t.test('an option that had another name is refused under that, with the name that it has now', (t) => {
  const schema = z.strictObject({
    onNoFace: z.enum(['drop', 'keep']).default('drop').describe('What is done.').meta({ formerly: 'none' }),
    inner: z.strictObject({ least: z.number().default(0).meta({ formerly: 'min' }) }).optional(),
  });
  const messages = (options: unknown) =>
    parseOptions(schema, options, 'stage face-crop').problems.map(({ error }) => error.message);
  t.match(messages({ none: 'keep' }), [/OPTION_UNKNOWN: .*`none`.*It is called `onNoFace` now\./]);
  t.match(messages({ inner: { min: 1 } }), [/`min`.*It is called `least` now\./]);
  t.notMatch(messages({ no: 1, 'none ': 2 }).join(), / now\./, 'no other name');
  t.match(messages({ onNoFase: 'keep' }), [/Did you mean `onNoFace`\?/]);
  t.same(messages({ onNoFace: 'keep', inner: { least: 1 } }), []);
  t.end();
});

t.test('the old names of our options are known: none, beside', (t) => {
  const rename = (schema: z.ZodType, option: string) =>
    parseOptions(schema, { [option]: 'x' }, 'it').problems.map(({ error }) => error.text)[0];
  t.match(rename(faceCrop.definition.options, 'none'), /has no option `none`\. It is called `onNoFace` now\./);
  t.match(rename(reconstruction.definition.options, 'beside'), /`beside`\. It is called `baseline` now\./);
  t.end();
});

t.test('what is missing or of another kind: where, what it must be, and what to do', (t) => {
  t.same(said(nested, { deep: {} }), [
    'OPTION_MISSING: `size` must be given: an integer from 1; got nothing. Add it to stage x.',
    'OPTION_MISSING: `deep.inner` must be given: an integer from 1; got nothing. Add it.',
  ]);
  t.same(said(nested, { size: 0, kernel: 'cubc', flag: 'yes', list: [{ ratio: '0.5' }], deep: 3 }), [
    'OPTION_VALUE: `size` must be an integer from 1; got 0. A side in pixels.',
    "OPTION_VALUE: `kernel` must be nearest or cubic; got 'cubc'. Did you mean `cubic`?",
    "OPTION_VALUE: `flag` must be true or false; got 'yes'. Write `true`.",
    "OPTION_VALUE: `list[0].ratio` must be a number; got '0.5'. Write it without quotes: 0.5.",
    'OPTION_VALUE: `deep` must be a map of inner; got 3. Change it.',
  ]);
  t.match(said(nested, { size: 2, deep: 'inner:3' }), [/got 'inner:3'\. Put a space after the colon: `inner: 3`\.$/]);
  t.match(said(nested, { size: Number.POSITIVE_INFINITY, kernel: null }), [
    /`size`.*Infinity/,
    /`kernel` must be .*; got nothing\./,
  ]);
  const { problems } = parseOptions(nested, 'size:3', 'stage x');
  t.match(problems, [{ path: [], key: false }]);
  t.match(problems[0]!.error.text, /^`stage x` must be a map of size, .*Put a space after the colon: `size: 3`/);
  t.match(said(z.string(), null), [/`stage x` must be text; got nothing\. Change it\.$/], 'null is no missing option');
  t.end();
});

t.test('a rule of the definition’s own speaks for itself', (t) => {
  const rules = z.strictObject({
    even: z.int().multipleOf(2).optional(),
    odd: z
      .number()
      .refine((value) => value % 2 === 1, 'odd')
      .optional(),
    word: z.string().regex(/^\w+$/, 'letters alone').optional(),
    plain: z.string().regex(/^\w+$/).optional(),
    mail: z.email().optional(),
    link: z.url().optional(),
    id: z.cuid().optional(),
  });
  const of = (options: object) => said(rules, options).map((text) => /must be (.*); got/.exec(text)?.[1]);
  t.same(of({ odd: 2, word: '-' }), ['odd', 'letters alone']);
  for (const key of ['mail', 'link', 'id']) t.same(of({ [key]: 'x' }), ['text'], `${key}: zod’s words are no rule`);
  t.match(of({ even: 3 })[0], /multiple of 2/);
  t.match(of({ plain: '-' })[0], /^must match pattern/);
  const whole = z
    .strictObject({ a: z.number().optional() })
    .refine(() => false, { message: 'one of two', path: ['a'] });
  t.match(said(whole, {}), [/^OPTION_VALUE: `a` must be one of two; got nothing\./]);
  t.end();
});

t.test('of a union the one form that was begun is judged, at any depth; else the union as a whole', (t) => {
  const sheet = z.union([
    z.boolean(),
    z.strictObject({ columns: z.array(z.enum(['crop', 'lr'])), width: side.optional() }),
  ]);
  const inner = z.strictObject({ sheet });
  t.match(said(inner, { sheet: { columns: ['crops'] } }), [/`sheet\.columns\[0\]` must be crop or lr;.*`crop`\?$/]);
  t.match(said(inner, { sheet: { columns: 3, width: 0 } }), [
    /`sheet\.columns` must be a list/,
    /`sheet\.width` must be/,
  ]);
  t.match(said(inner, { sheet: 'yes' }), [
    /^OPTION_VALUE: `sheet` must be true or false or a map of columns, width; got 'yes'\. Write `true`\.$/,
  ]);
  const deep = z.strictObject({ deep: z.union([z.string(), inner]) });
  t.match(said(deep, { deep: { sheet: { columns: [7] } } }), [/`deep\.sheet\.columns\[0\]` must be crop or lr; got 7/]);
  const two = z.strictObject({ on: z.union([z.strictObject({ a: side }), z.strictObject({ b: side })]) });
  t.match(said(two, { on: { a: 0, b: 0 } }), [
    /^OPTION_VALUE: `on` must be a map of a or a map of b; got a map of a, b/,
  ]);
  t.match(said(two, { on: { a: 1, zzzz: 0 } }), [/option `zzzz`\. It knows a, b\.$/], 'the names of all forms');
  t.match(said(z.union([z.literal('x'), z.literal('yellow')]), 'yelow'), [/`stage x` must be x or yellow.*`yellow`\?/]);
  t.end();
});

t.test('of more than a hundred names that are not known the number is reported', (t) => {
  const names = Array.from({ length: 101 }, (_, i) => i);
  const reports: string[] = [];
  const of = (count: number) => firstOf(names.slice(0, count).values(), 'x', ({ message }) => reports.push(message));
  t.same([of(0), of(100)], [[], names.slice(0, 100)]);
  t.same(reports, []);
  t.same(of(101), names.slice(0, 100));
  t.match(reports, [/^OPTION_UNKNOWN: x has no option `1 more`\. Check whether this is a pipeline file\.$/]);
  const many = Object.fromEntries(Array.from({ length: 1200 }, (_, i) => [`zz${i}`, 1]));
  const { problems } = parseOptions(z.strictObject({}), many, 'x');
  t.equal(problems.length, 101);
  t.match(problems[0], { path: [], key: false, error: { message: /option `1,100 more`/ } });
  t.end();
});

t.test('any value: problems exactly where zod has an issue, and otherwise what zod makes of it', (t) => {
  const strict = z.strictObject({
    size: side,
    kernel: z.enum(['a', 'b']).default('a'),
    list: z.array(z.union([z.literal('auto'), z.int()])).optional(),
    deep: z.strictObject({ path: pathOption() }).optional(),
  });
  const value = fc.oneof(
    ...[fc.constantFrom('a', 'auto', 'b', null, undefined, true), fc.integer({ min: -2, max: 2 })],
    fc.array(fc.constantFrom('auto', 1, 'x'), { maxLength: 3 }),
    fc.record({ path: fc.constantFrom('a', '', 1), more: fc.constant(1) }, { requiredKeys: [] }),
  );
  const keys = fc.constantFrom('size', 'kernel', 'list', 'deep', 'other');
  fc.assert(
    fc.property(fc.oneof(fc.dictionary(keys, value), value), (options) => {
      const { value, problems } = parseOptions(strict, options, 'x');
      const parsed = strict.safeParse(options);
      t.strictSame([problems.length === 0, value], [parsed.success, parsed.data]);
    }),
    { seed: 3, numRuns: 300 },
  );
  t.same(jsonSchema(z.strictObject({ size: side.default(3) })), {
    type: 'object',
    properties: {
      size: {
        type: 'integer',
        minimum: 1,
        maximum: Number.MAX_SAFE_INTEGER,
        default: 3,
        description: 'A side in pixels.',
      },
    },
    additionalProperties: false,
  });
  t.end();
});

t.test('JSON schemas are made once, those of `evaluate` with the measures of a registry too', (t) => {
  for (const schema of [z.strictObject({}), trainOptions]) t.equal(jsonSchema(schema), jsonSchema(schema));
  const { measures } = builtin;
  t.equal(jsonSchema(evaluateOptions(measures)), jsonSchema(evaluateOptions(measures)));
  const { properties } = jsonSchema(evaluateOptions(createRegistry({}).measures));
  t.same([properties!.knn, properties!.every?.type], [undefined, 'object'], 'another registry has its own');
  t.end();
});
