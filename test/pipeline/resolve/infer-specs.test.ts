import fc from 'fast-check';
import t from 'tap';
import { z } from 'zod';
import { fail, type ValidationIssue } from '../../../src/errors.ts';
import type { Path } from '../../../src/pipeline/file/locate.ts';
import { Problems } from '../../../src/pipeline/problem.ts';
import { createRegistry } from '../../../src/pipeline/registry.ts';
import { fieldList, giverOf, inferSpecs, looseFields } from '../../../src/pipeline/resolve/infer-specs.ts';
import { defineStage } from '../../../src/stages/stage.ts';
import { each, operator, type Stage } from '../../../src/streams/stage.ts';
import type { Spec } from '../../../src/vision/spec.ts';
import { mask, decode as plainDecode, registry, resize, windows } from '../registry.ts';

/** With options that every stage has. */
const decode = (policy: object = {}) => plainDecode(policy as never);
const bytes: Spec = { fields: { bytes: 'bytes' } };
const run = () => (sample: object) => sample;

/** What the chain gives, and its problems: text, the path that was asked for their place, and whether that of the key was. */
function infer(stages: readonly unknown[], source = bytes, known = registry) {
  const asked: [string, boolean][] = [];
  const place = (path: Path, key = false) => {
    asked.push([path.join('.'), key]);
    return { file: 'f' };
  };
  const problems = new Problems({ origin: { place, secrets: [] } });
  const resolved = inferSpecs(stages as readonly Stage[], source, ['stages'], known, problems);
  const said = problems.list.map(
    ({ error }, i) =>
      `${asked[i]![0]}${asked[i]![1] ? ' (key)' : ''} ${error.where?.slice(3)} ${error.code} ${error.text}`,
  );
  return { resolved, said, opens: resolved.map(({ after }) => after.open ?? false) };
}

/** A stage of one's own: any options. */
const stage = (more: Partial<Parameters<typeof defineStage>[0]>) =>
  defineStage({
    name: 'own',
    summary: '',
    options: z.object({ n: z.number().optional() }),
    needs: [],
    output: (spec: Spec) => spec,
    run,
    ...more,
  } as never) as unknown as (options?: object) => Stage;

t.test('a sound chain: ids, options, policies and the spec before and behind each stage', (t) => {
  const { resolved, said } = infer([
    decode({ timeout: 3, id: 'open' }),
    resize(16),
    windows({ patch: 4, size: 2 }),
    mask(),
    mask(0.5),
  ]);
  t.same(said, []);
  t.same(
    resolved.map(({ index, id, name, policy, options, holds }) => [index, id, name, policy, options, holds]),
    [
      [0, 'open', 'decode', { id: 'open', timeout: 3 }, {}, 0],
      [1, 'resize', 'resize', {}, { size: 16, kernel: 'cubic' }, 0],
      [2, 'windows', 'windows', {}, { patch: 4, size: 2, views: 4 }, 0],
      [3, 'mask', 'mask', {}, { ratio: 0.8 }, 0],
      [4, 'mask#2', 'mask', {}, { ratio: 0.5 }, 0],
    ],
  );
  t.equal(resolved[0]!.before, bytes);
  for (const [i, { before }] of resolved.entries()) if (i > 0) t.equal(before, resolved[i - 1]!.after);
  t.same(resolved[1]!.after, { fields: { bytes: 'bytes', picture: 'picture' }, size: [16, 16] });
  t.match(resolved[4]!.after, {
    grid: { patch: 4, side: 4 },
    windows: { K: 2, M: 4 },
    fields: { masks: { shape: [4, 4] } },
  });
  t.equal(resolved[3]!.definition, registry.stages.get('mask'));
  t.end();
});

t.test('behind each and operator the spec is open: shapes are silent, options are not, the guess stays', (t) => {
  const { resolved, said, opens } = infer([
    each((sample) => sample, { id: 'mine' }),
    operator((samples) => samples, { holds: 5 }),
    windows({ patch: 4, size: 99 }),
    mask(2),
    resize(8),
  ]);
  t.same(said, [
    'stages.3.mask.ratio stage mask OPTION_VALUE `ratio` must be a number from 0 to 1; got 2. Share of patches that are hidden.',
  ]);
  t.same(opens, [true, true, true, true, true]);
  t.same(
    resolved
      .map(({ holds, options, definition }) => [holds, options === undefined, definition === undefined])
      .slice(0, 2),
    [
      [0, true, true],
      [5, true, true],
    ],
  );
  t.same(resolved[0]!.after, { ...bytes, open: true });
  t.equal(resolved[0]!.id, 'mine');
  t.same(resolved[3]!.after, { ...resolved[2]!.after, open: true });
  t.same(resolved[4]!.after.size, [8, 8]);
  t.end();
});

t.test('one mistake is reported once: behind a stage that failed its check the spec is a guess', (t) => {
  const { said, opens, resolved } = infer([decode(), resize(16), windows({ patch: 5, size: 2 }), mask(), resize(8)]);
  t.same(said, [
    "stages.2.windows.patch stage windows OPTION_VALUE `patch` must be a divisor of the picture's side, 16 px; got 5. Try 8.",
  ]);
  t.same(opens, [false, false, true, true, true]);
  t.same(resolved[2]!.after, { ...resolved[1]!.after, open: true });
  const options = infer([decode(), resize({ size: 0 } as never), windows({ patch: 5, size: 2 })]);
  t.same(options.opens, [false, true, true]);
  t.equal(options.said.length, 1);
  t.equal(options.resolved[1]!.options, undefined);
  t.end();
});

t.test('policies: their problems, and what may stand beside a stage’s options', (t) => {
  const wrong = decode({ timeout: -1, concurrency: 2 });
  const { said, resolved } = infer([wrong, resize({ size: 8, maxFailure: 1 } as never)]);
  t.match(said, [
    /^stages\.0\.decode\.timeout stage decode OPTION_VALUE `timeout` must be .*; got -1/,
    /^stages\.1\.resize\.maxFailure \(key\) stage resize OPTION_UNKNOWN .*Did you mean `maxFailures`\?/,
  ]);
  t.same(resolved[0]!.policy, {});
  t.same(resolved[0]!.after.open, undefined, 'a policy changes nothing of the samples');
  t.end();
});

t.test('ids that come twice', (t) => {
  const named = (id?: string) => decode(id === undefined ? {} : { id });
  const of = (...ids: (string | undefined)[]) => infer(ids.map(named)).said;
  t.same(of('a', 'b', undefined), []);
  const said = (i: number, id: string) =>
    `stages.${i}.decode.id stage ${id} STAGE_ID_TWICE the ids of stages must differ; got \`${id}\` twice. Give one of the two an \`id\` of its own.`;
  t.same(of('a', 'b', 'a', 'a'), [said(2, 'a'), said(3, 'a')]);
  t.same(of(undefined, 'decode'), [said(1, 'decode')]);
  t.same(of('decode#2', undefined), [said(1, 'decode#2')], 'the second of a name has that id');
  t.end();
});

t.test('a field that is missing: by which stage it comes', (t) => {
  const needing = (...needs: string[]) => stage({ name: 'needy', needs })();
  const of = (...stages: unknown[]) =>
    infer(stages, { fields: { a: 'bytes', b: 'bytes' } }).said.map((text) => text.split('; ')[1]);
  t.same(of(needing('a', 'b')), []);
  t.same(infer([needing('c')], { fields: {} }).said, [
    'stages.0.needy (key) stage needy FIELD_MISSING stage needy must get samples with `c`; got none. Put a stage that gives it before it.',
  ]);
  t.same(of(needing('a', 'c', 'masks', 'windows', 'lr')), [
    'got a, b. Put a stage that gives it before it.',
    'got a, b. Put `mask` before it.',
    'got a, b. Put `windows` before it.',
    'got a, b. Put a stage that gives it before it.',
  ]);
  const giver = stage({ name: 'giver', output: (spec) => ({ ...spec, fields: { ...spec.fields, c: 'bytes' } }) });
  t.same(of(needing('c'), giver()), ['got a, b. Put `giver` before it.'], 'one that stands too late');
  t.match(of(needing('c'), giver({ n: 'x' })), [/^got a, b\. Put a stage that gives it/], 'not one of wrong options');
  const own = stage({ name: 'selfish', needs: ['c'], output: (spec) => ({ ...spec, fields: { c: 'bytes' } }) });
  t.same(of(own()), ['got a, b. Put a stage that gives it before it.'], 'not itself');
  t.same(of(needing('c'), needing('d')).length, 1, 'behind it the spec is open');
  t.end();
});

t.test('a stage that lacks a field has its options judged, but no shapes', (t) => {
  const seen: Spec[] = [];
  const judging = stage({
    name: 'judge',
    needs: ['none'],
    *check(_: unknown, spec: Spec): Generator<ValidationIssue> {
      seen.push(spec);
      yield { error: fail('OPTION_VALUE', { option: 'n', expected: 'x', found: 'y', advice: '' }) };
      yield { option: 'n.0', error: fail('OPTION_VALUE', { option: 'n', expected: 'z', found: 'y', advice: '' }) };
    },
  } as never);
  const { said } = infer([judging()]);
  t.same(seen, [{ ...bytes, open: true }]);
  t.match(said, [
    /^stages\.0\.judge \(key\) .*FIELD_MISSING/,
    /^stages\.0\.judge \(key\) .* must be x/,
    /^stages\.0\.judge\.n\.0 stage judge .* must be z/,
  ]);
  seen.length = 0;
  infer([judging()], { fields: { none: 'bytes' } });
  t.same(seen, [{ fields: { none: 'bytes' } }]);
  t.end();
});

t.test('what the code of a stage throws is a problem of that stage, but not for a guess', (t) => {
  const thrower = stage({
    output: () => {
      throw new RangeError('mine');
    },
  });
  const broken =
    'stages.0.own (key) stage own STAGE_BROKEN stage own must get through its `output` without an error; got:';
  t.same(infer([thrower()]).said, [`${broken} mine. Look at \`output\` of its definition.`]);
  t.same(infer([thrower()]).resolved[0]!.after, { ...bytes, open: true });
  const open: Spec = { fields: { x: 'bytes' }, open: true };
  t.same([infer([thrower()], open).said, infer([thrower()], open).resolved[0]!.after], [[], open]);
  for (const nothing of [undefined, {}, { fields: 3 }]) {
    const { said, opens } = infer([stage({ output: () => nothing as never })()]);
    t.same(said, [`${broken} no spec. Look at \`output\` of its definition.`]);
    t.same(opens, [true]);
  }
  const checker = stage({
    check: () => {
      throw new Error('why');
    },
  });
  t.match(infer([checker()]).said, [/^stages\.0\.own \(key\) stage own STAGE_BROKEN .* its `check` .*: why/]);
  t.same(infer([checker()]).opens, [true]);
  for (const hook of ['complete', 'identity'] as const) {
    const own = stage({
      [hook]: () => {
        throw new Error('mine');
      },
    });
    t.match(infer([own()]).said, [
      new RegExp(`^stages\\.0\\.own \\(key\\) stage own STAGE_BROKEN .* its \`${hook}\` .*: mine\\.`),
    ]);
  }
  const given: readonly (readonly [unknown, string])[] = [
    [undefined, 'undefined'],
    [Promise.reject(new Error('late')), 'a promise'],
  ];
  for (const [value, found] of given)
    t.match(infer([stage({ complete: () => value })()]).said, [
      new RegExp(`^stages\\.0\\.own \\(key\\) stage own STAGE_BROKEN .* its \`complete\` .*: ${found} in the place of`),
    ]);
  const closing = stage({ output: () => ({ fields: {} }) });
  t.same(infer([closing()], open).resolved[0]!.after, { fields: {}, open: true }, 'what is open stays open');
  t.end();
});

t.test('who gives a field', (t) => {
  const later = [
    { name: 'one', fields: ['x'] },
    { name: 'two', fields: ['x', 'picture'] },
  ];
  t.equal(giverOf('x', later, registry), 'one');
  t.equal(giverOf('picture', later, registry), 'two', 'one of the chain goes before those of the registry');
  t.equal(giverOf('picture', [], registry), 'decode');
  t.equal(giverOf('masks', [], registry), 'mask');
  t.equal(giverOf('windows', [], registry), 'windows', 'by its name, since it has options without a default');
  t.equal(giverOf('lr', [], registry), undefined, 'the registry has none of that name');
  t.equal(giverOf('label', [], registry), undefined);
  const rude = stage({
    name: 'rude',
    output: () => {
      throw new Error();
    },
  });
  const curious = stage({
    name: 'curious',
    output: ({ size, grid, open, windows: { K = 0, M = 0 } = {} }) => {
      if (!open || size![0] !== grid!.patch * grid!.side || K > grid!.side) throw new Error('no grid of a picture');
      return { fields: { found: { dtype: 'uint8', shape: [size![1], K, M] } } };
    },
  });
  const all = createRegistry({ stages: [rude, curious] as never[] });
  t.equal(giverOf('found', [], all), 'curious', 'though another throws');
  t.equal(giverOf('windows', [], all), undefined);
  t.end();
});

t.test('what keeps fields out of a batch', (t) => {
  const spec: Spec = {
    fields: {
      bytes: 'bytes',
      picture: 'picture',
      lr: { picture: [2, 3] },
      odd: { picture: null },
      n: { dtype: 'int32', shape: [] },
    },
  };
  const of = (field: string, more: Partial<Spec> = {}) =>
    looseFields({ ...spec, ...more }, [field], 'model x', registry).map(({ code, text }) => `${code} ${text}`);
  const loose = 'what enters a batch must have a fixed size;';
  const resizing = 'Put `resize`, or another stage that fixes the size, into the chain.';
  t.same(of('bytes'), [`FIELD_LOOSE ${loose} \`bytes\` has none. Put \`decode\` and \`resize\` before it.`]);
  t.same(of('picture'), [`FIELD_LOOSE ${loose} \`picture\` has none. ${resizing}`]);
  t.same(of('picture', { size: [4, 5] }), []);
  t.same([of('lr'), of('n')], [[], []]);
  t.same(of('odd', { size: [4, 5] }), [`FIELD_LOOSE ${loose} \`odd\` has none. ${resizing}`]);
  const got = 'model x must get samples with';
  t.same(of('masks'), [`FIELD_MISSING ${got} \`masks\`; got bytes, picture, lr, odd, n. Add \`mask\` to the stages.`]);
  t.match(of('label'), [/^FIELD_MISSING .*got bytes, .*Give the source its labels: `labels: true`/]);
  t.match(of('nothing', { fields: {} }), [/; got none\. Add a stage that gives it\.$/]);
  t.same(looseFields({ ...spec, open: true }, ['bytes', 'nothing'], 'x', registry), []);
  t.same(
    looseFields(spec, ['nothing', 'n', 'bytes'], 'x', registry).map(({ code }) => code),
    ['FIELD_MISSING', 'FIELD_LOOSE'],
  );
  t.same([fieldList(spec), fieldList({ fields: {} })], ['bytes, picture, lr, odd, n', 'none']);
  t.end();
});

t.test('any chain: openness never ends, each spec is that before the next, problems name stages of the chain', (t) => {
  const kinds: Record<string, () => unknown> = {
    decode: () => decode(),
    resize: () => resize(16),
    small: () => resize(3),
    windows: () => windows({ patch: 4, size: 2 }),
    mask: () => mask(),
    wrong: () => mask(7),
    each: () => each((sample) => sample),
  };
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...Object.keys(kinds)), { maxLength: 7 }), (names) => {
      const { resolved, said, opens } = infer(names.map((name) => kinds[name]!()));
      t.strictSame(
        resolved.map(({ index }) => index),
        names.map((_, i) => i),
      );
      t.strictSame(
        [...opens].sort((a, b) => Number(a) - Number(b)),
        opens,
      );
      t.equal(
        resolved.every(({ before }, i) => before === (i === 0 ? bytes : resolved[i - 1]!.after)),
        true,
      );
      // A wrong option, and the first stage whose field or shape is missing.
      const wrong = names.filter((name) => name === 'wrong').length;
      t.equal(said.length - wrong <= 1, true, names.join());
      t.equal(said.length > 0 || !opens.at(-1) || names.includes('each'), true, names.join());
    }),
    { seed: 4, numRuns: 80 },
  );
  t.end();
});
