import t from 'tap';
import { countParameters, decays, drawParameter, storedForm } from '../../../src/models/layers/parameters.ts';
import { bucketCount, bucketOf, clsBucket, gridBuckets, piecewise } from '../../../src/models/layers/relative.ts';
import { lomarCost, lomarOptions, lomarParameters, lomarShape } from '../../../src/models/lomar/options.ts';
import { maeOptions, maeParameters, maeShape } from '../../../src/models/mae/options.ts';
import { Random } from '../../../src/random.ts';

const spec = (patch: number, K: number) => ({ grid: { patch }, windows: { K } });
const shapeOf = (size: 'nano' | 'tiny' | 'small' | 'base' | 'large', patch = 16, K = 7) =>
  lomarShape(lomarOptions.parse({ size }), spec(patch, K));

t.test('parameters by size, as published or worked out by hand', (t) => {
  const counts = { nano: 231_424, tiny: 5_673_408, small: 21_924_480, base: 86_277_120, large: 303_964_928 } as const;
  for (const [size, count] of Object.entries(counts) as [keyof typeof counts, number][]) {
    t.equal(countParameters(lomarParameters(shapeOf(size, size === 'nano' ? 8 : 16))), count, size);
  }
  t.end();
});

t.test('tables of relative positions: L · d · 50', (t) => {
  for (const [size, count] of [
    ['tiny', 38_400],
    ['small', 38_400],
    ['base', 38_400],
    ['large', 76_800],
  ] as const) {
    const tables = lomarParameters(shapeOf(size)).filter(({ name }) => name.endsWith('lookup_table_weight'));
    t.equal(countParameters(tables), count, size);
  }
  t.end();
});

t.test('forward multiply-adds per image, in units of 10⁹', (t) => {
  const gmacs = (size: Parameters<typeof shapeOf>[0], side: number, M: number, K = 7) =>
    Number((lomarCost(shapeOf(size, 16, K), { size: [side, side], M }).macs / 1e9).toFixed(2));
  t.equal(gmacs('tiny', 224, 4), 1.19);
  t.equal(gmacs('small', 224, 4), 4.5);
  t.equal(gmacs('base', 224, 4), 17.5);
  t.equal(gmacs('large', 224, 4), 61.45);
  t.equal(gmacs('base', 384, 6), 26.41);
  t.equal(gmacs('base', 448, 9), 39.57);
  t.equal(gmacs('base', 224, 8, 5), 18.1);
  t.equal(gmacs('base', 224, 1, 14), 17.77);
  t.equal(gmacs('base', 224, 3, 9), 21.64);
  t.equal(gmacs('base', 224, 2, 11), 21.64);
  t.equal(gmacs('base', 384, 9), 39.45, 'nine windows at 384');
  const eight = lomarCost(shapeOf('base', 8), { size: [224, 224], M: 4 }).macs;
  t.equal(Number((eight / 1e9).toFixed(2)), 17.41, 'ViT-B/8');
  t.end();
});

t.test('what options and stages say together', (t) => {
  t.match(lomarShape(lomarOptions.parse({ depth: 2, heads: 4 }), spec(16, 7)), {
    width: 192,
    depth: 2,
    heads: 4,
    patch: 16,
    K: 7,
  });
  t.match(lomarShape(lomarOptions.parse({ patch: 8 }), { windows: { K: 5 } }), {
    patch: 8,
    K: 5,
    target: 'patchNorm',
    rpeScaled: false,
  });
  t.throws(() => lomarShape(lomarOptions.parse({}), { windows: { K: 5 } }), /MODEL_PATCH/);
  t.throws(
    () => lomarShape(lomarOptions.parse({ patch: 8 }), spec(16, 7)),
    /MODEL_PATCH: .* the stages say 16, the model says 8/,
  );
  t.throws(() => lomarShape(lomarOptions.parse({}), { grid: { patch: 16 } }), /MODEL_WINDOWS/);
  t.throws(
    () => lomarShape(lomarOptions.parse({ heads: 5 }), spec(16, 7)),
    /MODEL_HEADS: .* width 192, heads 5. Try heads (4|6)/,
  );
  t.throws(() => lomarOptions.parse({ sise: 'tiny' }));
  for (const [name, option] of Object.entries(lomarOptions.shape)) t.ok(option.description, `${name} is described`);
  t.end();
});

t.test('offsets are shortened as the paper’s table says', (t) => {
  t.same([0, 1, 2, 3, 4, 5, 13, 100].map(piecewise), [0, 1, 2, 2, 3, 3, 3, 3]);
  t.same([-1, -2, -3, -4, -27].map(piecewise), [-1, -2, -2, -3, -3]);
  t.end();
});

t.test('buckets of pairs', (t) => {
  t.equal(bucketCount, 50);
  t.equal(clsBucket, 49);
  t.same(
    [
      bucketOf(0, 0),
      bucketOf(0, -1),
      bucketOf(2, 3),
      bucketOf(-6, -6),
      bucketOf(6, 6),
      bucketOf(-3, 0),
      bucketOf(-4, 0),
    ],
    [24, 23, 40, 0, 48, 10, 3],
  );
  const buckets = gridBuckets(7, 7);
  const at = (i: number, j: number) => buckets[i * 50 + j];
  t.equal(buckets.length, 2500);
  t.ok(Array.from({ length: 50 }, (_, i) => at(0, i) === 49 && at(i, 0) === 49).every(Boolean), 'cls row and column');
  t.same([at(1, 1), at(1, 2), at(1 + 2 * 7 + 3, 1), at(1, 49), at(49, 1)], [24, 23, 40, 0, 48]);
  t.end();
});

t.test('files: linear weights turned, patches with the channel first, tables with a leading 1', (t) => {
  const linear = storedForm({ name: 'a', shape: [2, 3], layout: 'linear', start: 'zeros' });
  t.same(linear.shape, [3, 2]);
  t.same([...linear.toFile(Float32Array.of(1, 2, 3, 4, 5, 6))], [1, 4, 2, 5, 3, 6]);
  // Two outputs, p = 2: memory [(row, col, c), D], file [D, c, row, col].
  const patch = storedForm({ name: 'p', shape: [12, 2], layout: 'patch', start: 'zeros' });
  t.same(patch.shape, [2, 3, 2, 2]);
  const memory = Float32Array.from({ length: 24 }, (_, i) => i);
  // Row 0, col 1, channel 2 is memory's input 5; output 1 of it is number 11, and stands in a file at (1, 2, 0, 1) = 21.
  t.equal(patch.toFile(memory)[21], 11);
  t.same([...patch.fromFile(patch.toFile(memory))], [...memory]);
  t.same(storedForm({ name: 't', shape: [2, 50], layout: 'table', start: 'zeros' }).shape, [1, 2, 50]);
  t.end();
});

t.test('starts: Xavier bounds, the embedding’s bias, tokens, tables; and what decays', (t) => {
  const parameters = new Map(lomarParameters(shapeOf('base')).map((each) => [each.name, each]));
  const most = (name: string) =>
    drawParameter(parameters.get(name)!, new Random(7, name, 'init')).reduce((top, v) => Math.max(top, Math.abs(v)), 0);
  const near = (name: string, bound: number) =>
    t.ok(most(name) <= bound && most(name) > 0.98 * bound, `${name} up to ${bound}`);
  near('patch_embed.proj.weight', 0.0625);
  near('patch_embed.proj.bias', 1 / Math.sqrt(768));
  near('blocks.0.attn.qkv.weight', Math.sqrt(6 / (4 * 768)));
  near('blocks.3.mlp.fc1.weight', Math.sqrt(6 / (5 * 768)));
  const decoder = maeParameters(maeShape(maeOptions.parse({ size: 'base' }), { grid: { patch: 16, side: 14 } }));
  parameters.set('decoder_embed.weight', decoder.find(({ name }) => name === 'decoder_embed.weight')!);
  near('decoder_embed.weight', Math.sqrt(6 / (768 + 512)));
  near('decoder_pred.weight', 0.0625);
  t.equal(most('blocks.0.attn.rpe_k.lookup_table_weight'), 0);
  t.equal(most('blocks.0.attn.qkv.bias'), 0);
  t.equal(most('norm.weight'), 1);
  const token = drawParameter(parameters.get('mask_token')!, new Random(7, 'mask_token', 'init'));
  const spread = Math.sqrt(token.reduce((sum, v) => sum + v * v, 0) / token.length);
  t.ok(Math.abs(spread - 0.02) < 0.002, `the token’s spread ${spread}`);
  for (const [name, each] of parameters) {
    const want = name.endsWith('_token') || (name.endsWith('weight') && !name.includes('norm'));
    if (decays(each) !== want) t.fail(`${name}: decays ${decays(each)}`);
  }
  t.end();
});
