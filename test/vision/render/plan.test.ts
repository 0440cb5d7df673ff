import fc from 'fast-check';
import t from 'tap';
import type { Box, Effect, LazyPicture, Operation } from '../../../src/vision/geometry.ts';
import { type Plan, planOf, type Step, stepInts, writeStep } from '../../../src/vision/render/plan.ts';
import { type Drawn, drawnFrom } from '../../../src/vision/render/turn.ts';

/** Rows of pixels. Each number stands for where a pixel comes from, so that two are equal only where the same was done to the same. */
type Grid = readonly (readonly number[])[];

const names = new Map<string, number>();
const named = (...parts: unknown[]) => {
  const name = JSON.stringify(parts);
  if (!names.has(name)) names.set(name, names.size);
  return names.get(name)!;
};
const gridOf = (width: number, height: number, pixel: (x: number, y: number) => number): Grid =>
  Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => pixel(x, y)));
const flip = (grid: Grid): Grid => grid.map((row) => [...row].reverse());
const crop = (grid: Grid, { left, top, width, height }: Box): Grid =>
  grid.slice(top, top + height).map((row) => row.slice(left, left + width));

/** No resize where the size is the same; the mirror of a resized picture is that of a mirrored one, resized. */
function resize(grid: Grid, width: number, height: number, kernel: string): Grid {
  if (grid.length === height && grid[0]!.length === width) return grid;
  const [id, mirror] = [named(grid), named(flip(grid))];
  const least = Math.min(id, mirror);
  return gridOf(width, height, (x, y) => {
    const across = id === mirror ? Math.min(x, width - 1 - x) : id === least ? x : width - 1 - x;
    return named(least, width, height, kernel, across, y);
  });
}

const colour = (background: number) => named('colour', background);
const pad = (grid: Grid, { width, height, left, top }: Box, background: number): Grid =>
  gridOf(width, height, (x, y) => grid[y - top]?.[x - left] ?? colour(background));
const warp = (
  grid: Grid,
  { width, height }: Pick<Box, 'width' | 'height'>,
  matrix: readonly number[],
  background: number,
) => gridOf(width, height, (x, y) => named(grid, matrix, background, x, y));
const rgb = ([r, g, b]: readonly [number, number, number]) => (r * 256 + g) * 256 + b;

/** What an operation says. */
function done(grid: Grid, drawn: Drawn): Grid {
  if (drawn.kind === 'crop') return crop(grid, drawn.box);
  if (drawn.kind === 'resize') return resize(grid, drawn.width, drawn.height, drawn.kernel);
  if (drawn.kind === 'pad') return pad(grid, drawn, rgb(drawn.background));
  if (drawn.kind === 'warp') return warp(grid, drawn, drawn.matrix, rgb(drawn.background));
  return drawn.kind === 'flip' ? flip(grid) : grid;
}

/** What the renderer makes of a step, by the words of `Step`. */
function stepped(
  pages: readonly Grid[],
  origin: Grid,
  { source, box, size, kernel, window, mirrored, matrix, page }: Step,
): Grid {
  const sized = matrix
    ? warp(pages[source]!, size, matrix, page.background)
    : resize(crop(source < 0 ? origin : pages[source]!, box), size.width, size.height, kernel);
  const seen = crop(sized, window);
  return pad(mirrored ? flip(seen) : seen, page, page.background);
}

function rendered({ steps, outputs }: Plan, origin: Grid): Grid[] {
  const pages: Grid[] = [];
  for (const step of steps) pages.push(stepped(pages, origin, step));
  return outputs.map((output) => pages[output]!);
}

const raw = (width: number, height: number): LazyPicture => ({
  width,
  height,
  origin: { kind: 'raw', data: new Uint8Array(width * height), width, height, channels: 1 },
  from: undefined,
});

/** A picture with an operation done to it. */
function after(picture: LazyPicture, operation: Operation): LazyPicture {
  const { width, height } = operation.kind === 'crop' ? operation.box : 'width' in operation ? operation : picture;
  return { width, height, origin: picture.origin, from: { picture, operation } };
}

/** Operation by operation, from the origin on; turning is of all between two settled pictures, as in turn.test.ts. */
function expectedOf(picture: LazyPicture, origin: Grid): Grid {
  const operations: Operation[] = [];
  let at = picture;
  for (; at.from !== undefined && at.from.operation.kind !== 'settle'; at = at.from.picture)
    operations.unshift(at.from.operation);
  const start = at.from === undefined ? origin : expectedOf(at.from.picture, origin);
  return drawnFrom(operations, at).reduce(done, start);
}

/** What may be done to a picture, by numbers that any picture can make something of. */
type Choice = readonly [kind: number, a: number, b: number, c: number, d: number];
const black = [1, 2, 3] as const;

function operationOf({ width, height }: LazyPicture, [kind, a, b, c, d]: Choice): Operation {
  const [left, top] = [a % width, b % height];
  if (kind < 3)
    return { kind: 'crop', box: { left, top, width: 1 + (c % (width - left)), height: 1 + (d % (height - top)) } };
  if (kind < 5)
    return { kind: 'resize', width: 1 + (a % 5), height: 1 + (b % 5), kernel: c % 2 === 0 ? 'bicubic' : 'bilinear' };
  if (kind < 7) return { kind: 'flip' };
  if (kind < 9)
    return {
      kind: 'pad',
      width: width + (a % 3) + (c % 2),
      height: height + (b % 3),
      left: a % 3,
      top: b % 3,
      background: black,
    };
  if (kind < 10) return { kind: 'settle' };
  const frame = { x: left + 0.5, y: top + 0.5, width: 1 + (c % 3), height: 1 + (d % 3), angle: 0.5 + a };
  return { kind: 'turn', frame, width: 1 + (c % 3), height: 1 + (d % 3), background: [9, 8, 7] };
}

const choice: fc.Arbitrary<Choice> = fc.tuple(fc.nat(10), fc.nat(9), fc.nat(9), fc.nat(9), fc.nat(9));

t.test('any chains over one origin: the steps make what the operations say', (t) => {
  const origin = gridOf(6, 5, (x, y) => named('origin', x, y));
  let [single, several] = [0, 0];
  const tree = fc.array(fc.tuple(fc.nat(99), choice), { maxLength: 9 });
  fc.assert(
    fc.property(tree, fc.array(fc.nat(99), { minLength: 1, maxLength: 4 }), (grown, wanted) => {
      const pool = [raw(6, 5)];
      // Mostly the newest picture goes on.
      for (const [from, what] of grown) {
        const picture = pool[from < 70 ? pool.length - 1 : from % pool.length]!;
        pool.push(after(picture, operationOf(picture, what)));
      }
      const renderings = wanted.map((which) => ({
        picture: pool[which < 50 ? pool.length - 1 : which % pool.length]!,
      }));
      const plan = planOf(renderings)!;
      if (new Set(plan.outputs).size !== renderings.length) throw new Error('a page is written once');
      for (const [i, { source }] of plan.steps.entries())
        if (source >= i) throw new Error('a step of what comes later');
      if (plan.steps.length > 2) several++;
      else single++;
      const made = rendered(plan, origin);
      for (const [i, { picture }] of renderings.entries()) {
        if (named(made[i]) !== named(expectedOf(picture, origin))) throw new Error(`picture ${i}`);
      }
    }),
    { seed: 8, numRuns: 400 },
  );
  t.ok(single > 50 && several > 50, `${single} plans of one step or two, ${several} of more`);
  t.end();
});

/** What is not said of a step is what a step does that does nothing. */
function step(width: number, height: number, more: Partial<Step> = {}): Step {
  const size = more.size ?? more.box ?? { width, height };
  const window = more.window ?? { left: 0, top: 0, width: size.width, height: size.height };
  return {
    source: -1,
    box: { left: 0, top: 0, width, height },
    kernel: 'bicubic',
    mirrored: false,
    matrix: undefined,
    page: { width: window.width, height: window.height, left: 0, top: 0, background: 0 },
    ...more,
    size: { width: size.width, height: size.height },
    window,
  };
}

const chain = (start: LazyPicture, ...operations: Operation[]) => operations.reduce(after, start);
const planned = (...pictures: LazyPicture[]) => planOf(pictures.map((picture) => ({ picture })));
const box = (left: number, top: number, width: number, height: number): Box => ({ left, top, width, height });
const cut = (...sides: Parameters<typeof box>): Operation => ({ kind: 'crop', box: box(...sides) });
const sized = (width: number, height: number, kernel = 'bilinear'): Operation =>
  ({ kind: 'resize', width, height, kernel }) as Operation;
const mirror: Operation = { kind: 'flip' };
const settle: Operation = { kind: 'settle' };
const laid = (width: number, height: number, left: number, top: number): Operation => ({
  kind: 'pad',
  width,
  height,
  left,
  top,
  background: [0x12, 0x34, 0x56],
});

t.test('as few steps as can be, each with all that it can do', (t) => {
  const start = raw(20, 10);
  t.strictSame(planned(start), { steps: [step(20, 10)], outputs: [0] });
  t.strictSame(planned(chain(start, mirror, mirror)), { steps: [step(20, 10)], outputs: [0] });
  t.strictSame(
    planned(
      chain(start, cut(2, 1, 16, 8), mirror, cut(3, 2, 10, 5), sized(8, 9), cut(1, 2, 5, 6), laid(9, 8, 1, 2), mirror),
    ),
    {
      steps: [
        step(20, 10, {
          box: box(5, 3, 10, 5),
          size: { width: 8, height: 9 },
          kernel: 'bilinear',
          window: box(2, 2, 5, 6),
          page: { width: 9, height: 8, left: 3, top: 2, background: 0x123456 },
        }),
      ],
      outputs: [0],
    },
  );
  t.strictSame(planned(chain(start, sized(8, 8), sized(4, 4, 'bicubic'))), {
    steps: [
      step(20, 10, { size: { width: 8, height: 8 }, kernel: 'bilinear' }),
      step(8, 8, { source: 0, size: { width: 4, height: 4 } }),
    ],
    outputs: [1],
  });
  for (const next of [cut(1, 1, 3, 3), sized(3, 3), laid(31, 21, 0, 0)]) {
    const plan = planned(chain(start, laid(30, 20, 1, 2), next))!;
    t.equal(plan.steps.length, 2, `${next.kind} of a page`);
    t.strictSame([plan.steps[1]!.source, plan.steps[1]!.box.width <= 30], [0, true]);
  }
  t.end();
});

t.test('what pictures share up to a settled one is one step; one that is wanted twice is copied', (t) => {
  const settled = chain(raw(20, 10), sized(8, 8), settle);
  const part = chain(settled, cut(1, 2, 3, 4));
  const first = step(20, 10, { size: { width: 8, height: 8 }, kernel: 'bilinear' });
  t.strictSame(planned(settled), { steps: [first], outputs: [0] });
  t.strictSame(planned(settled, part, settled), {
    steps: [first, step(8, 8, { source: 0, box: box(1, 2, 3, 4) }), step(8, 8, { source: 0 })],
    outputs: [0, 1, 2],
  });
  t.strictSame(planned(part, chain(settled, mirror)), {
    steps: [first, step(8, 8, { source: 0, box: box(1, 2, 3, 4) }), step(8, 8, { source: 0, mirrored: true })],
    outputs: [1, 2],
  });
  const apart = chain(raw(20, 10), sized(8, 8));
  t.equal(planned(apart, chain(apart, cut(0, 0, 1, 1)))!.steps.length, 2, 'nothing is shared that is not settled');
  t.strictSame(planned(chain(settled, settle, settle)), { steps: [first], outputs: [0] });
  t.end();
});

t.test('a warp is the first of its step, of a whole page of another', (t) => {
  const frame = { x: 10, y: 5, width: 4, height: 2, angle: 1 };
  const turn: Operation = { kind: 'turn', frame, width: 4, height: 2, background: [1, 2, 3] };
  const plan = planned(chain(raw(20, 10), turn, mirror, laid(9, 9, 1, 1)))!;
  t.equal(plan.steps.length, 3);
  const [upright, warped, page] = plan.steps as [Step, Step, Step];
  t.strictSame([upright.source, upright.matrix], [-1, undefined]);
  t.match(warped, {
    source: 0,
    size: { width: 4, height: 2 },
    window: box(0, 0, 4, 2),
    mirrored: true,
    kernel: 'bicubic',
  });
  t.strictSame(warped.box, { ...box(0, 0, 0, 0), width: upright.page.width, height: upright.page.height });
  t.equal(warped.matrix?.length, 6);
  t.strictSame(warped.page, { width: 4, height: 2, left: 0, top: 0, background: 0x010203 });
  t.match(page, { source: 1, page: { width: 9, height: 9, left: 1, top: 1, background: 0x123456 } });
  t.end();
});

t.test('what only sharp does has no plan, wherever it stands in the chain or among the pictures', (t) => {
  const start = raw(20, 10);
  for (const kernel of ['nearest', 'lanczos']) {
    const chained = chain(start, sized(4, 4, kernel), settle, mirror);
    t.equal(planned(chained), undefined, kernel);
    t.equal(planned(start, chained), undefined);
  }
  const most = 2 ** 30;
  for (const [width, height, isPlanned] of [
    [most, 1, true],
    [1, most, true],
    [most + 1, 1, false],
    [1, most + 1, false],
  ] as const)
    t.equal(
      planned(chain(start, sized(width, height), cut(0, 0, 1, 1))) !== undefined,
      isPlanned,
      `${width} × ${height}`,
    );
  t.end();
});

t.test('an effect is a step of its own, of a whole page of another', (t) => {
  const affine = { kind: 'affine', matrix: [1, 0, 0.5, 0, 1, -2], background: [1, 2, 3] } as const;
  const effect = (effect: Effect): Operation => ({ kind: 'effect', effect });
  const plan = planned(chain(raw(20, 10), effect(affine), effect({ kind: 'equalize' }), mirror, settle))!;
  t.same(
    plan.steps.map(({ source, effect, mirrored, page }) => [source, effect?.kind, mirrored, page.background]),
    [
      [-1, undefined, false, 0],
      [0, 'affine', false, 0x010203],
      [1, 'equalize', false, 0],
      [2, undefined, true, 0],
    ],
  );
  t.equal(planned(chain(raw(20, 10), sized(4, 4), cut(0, 0, 2, 2), effect({ kind: 'equalize' })))!.steps.length, 2);
  const written = (effect: Effect) => {
    const ints = new Int32Array(stepInts);
    writeStep(ints, 0, { ...plan.steps[1]!, effect }, 0);
    return [...ints.subarray(20)];
  };
  t.same(written(affine), [2, ...new Int32Array(Float32Array.of(1, 0, 0.5, 0, 1, -2).buffer)]);
  t.same(written({ kind: 'equalize' }), [4, 0, 0, 0, 0, 0, 0]);
  t.same(written({ kind: 'saturation', factor: 1.5 }), [10, 98304, 0, 0, 0, 0, 0]);
  const part = { left: 1, top: 2, width: 3, height: 4 };
  t.same(written({ kind: 'noise', box: part, key: [2 ** 32 - 1, 7] }), [14, 1, 2, 3, 4, -1, 7]);
  t.same(written({ kind: 'fill', box: part, colour: [1, 2, 3] }), [15, 1, 2, 3, 4, 0, 0]);
  t.end();
});

t.test('a step as ints, in the order of job.h, and nothing beside them', (t) => {
  const int = fc.integer({ min: -1, max: 2 ** 24 });
  const some = fc.record({ left: int, top: int, width: int, height: int });
  const anyStep = fc.record({
    source: int,
    box: some,
    size: fc.record({ width: int, height: int }),
    kernel: fc.constantFrom('bilinear' as const, 'bicubic' as const),
    window: some,
    mirrored: fc.boolean(),
    matrix: fc.option(fc.tuple(...Array.from({ length: 6 }, () => fc.float({ noNaN: true }))) as never, {
      nil: undefined,
    }),
    page: fc.record({ width: int, height: int, left: int, top: int, background: int }),
  }) as fc.Arbitrary<Step>;
  fc.assert(
    fc.property(
      anyStep,
      fc.nat(5),
      int,
      fc.constantFrom(undefined, 1 as const, 3 as const),
      (one, at, output, channels) => {
        const memory = new Int32Array(stepInts + 12).fill(77);
        // Its memory may begin anywhere.
        const ints = memory.subarray(3);
        writeStep(ints, at, one, output, ...(channels === undefined ? [] : [channels]));
        const { box, window, size, page } = one;
        const matrix = one.matrix ? [...new Int32Array(Float32Array.from(one.matrix).buffer)] : Array(6).fill(77);
        const expected = [
          ...[one.source, output, box.left, box.top, box.width, box.height, size.width, size.height],
          ...[one.kernel === 'bicubic' ? 1 : 0, window.left, window.top, window.width, window.height],
          ...[one.mirrored ? 1 : 0, page.width, page.height, page.left, page.top, page.background],
          ...[channels ?? 3, one.matrix ? 1 : 0, ...matrix],
        ];
        t.equal(expected.length, stepInts);
        t.strictSame([...memory], [...Array(3 + at).fill(77), ...expected, ...Array(9 - at).fill(77)]);
      },
    ),
    { seed: 2, numRuns: 60 },
  );
  t.end();
});
