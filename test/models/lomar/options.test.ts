import t from 'tap';
import { lomar, lomarSrmae } from '../../../src/models/index.ts';
import { countParameters } from '../../../src/models/layers/parameters.ts';
import {
  type LomarOptions,
  lomarCost,
  lomarOptions,
  lomarParameters,
  lomarShape,
} from '../../../src/models/lomar/options.ts';
import { type LomarSrmaeOptions, lomarSrmaeOptions, lomarSrmaeShape } from '../../../src/models/lomar-srmae/options.ts';
import type { Spec } from '../../../src/vision/spec.ts';

const nanoSpec: Spec = { fields: {}, size: [64, 64], grid: { patch: 8, side: 8 }, windows: { K: 5, M: 2 }, hidden: 15 };
const baseSpec: Spec = {
  fields: {},
  size: [224, 224],
  grid: { patch: 16, side: 14 },
  windows: { K: 7, M: 4 },
  hidden: 36,
};
const shapeOf = (options: object, spec = nanoSpec) =>
  lomarShape(lomarOptions.parse({ size: 'nano', ...options }) as LomarOptions, spec);
const lowShapeOf = (options: object, spec = nanoSpec) =>
  lomarSrmaeShape(lomarSrmaeOptions.parse({ size: 'nano', ...options }) as LomarSrmaeOptions, spec);

t.test('options that came later are left out where they are not written: digests of runs hold them', async (t) => {
  t.same(lomarOptions.parse({}), { size: 'tiny', target: 'patchNorm', rpeScaled: false });
  t.same(shapeOf({}), { width: 64, depth: 4, heads: 2, patch: 8, K: 5, target: 'patchNorm', rpeScaled: false });
  t.same(shapeOf({ positions: 'relative', maskTokensFrom: 0 }), shapeOf({}));
  for (const options of [lomarOptions, lomarSrmaeOptions])
    for (const [name, option] of Object.entries(options.shape)) t.ok(option.description, `${name} is described`);
});

/** A block D wide, and a table of relative positions for heads of 32. */
const block = (D: number) => 12 * D * D + 13 * D;
const table = 32 * 50;
const encoder = 212_480;
const head = 64 * 192 + 192;

t.test('parameters, counted by hand', async (t) => {
  const count = (options: object) => countParameters(lomarParameters(shapeOf(options)));
  t.equal(count({}), 231_424);
  t.equal(count({ positions: 'absolute' }), 231_424 - 4 * table);
  t.equal(count({ maskTokensFrom: 2 }), 231_424);
  const decoder = 64 + (64 * 64 + 64) + 2 * block(64) + 2 * 64 + head;
  t.equal(count({ decoder: {}, positions: 'absolute' }), encoder + decoder, 'as MAE');
  t.equal(count({ decoder: {} }), encoder + decoder + 6 * table);
  const low = (options: object) => countParameters(lomarParameters(lowShapeOf(options)));
  t.equal(low({}), 231_424 - 64 + (192 * 64 + 64), 'an embedding for the mask token');
  t.equal(
    low({ decoder: { width: 32, depth: 1, heads: 1 }, superResolution: 'none' }),
    encoder + 4 * table + (64 * 32 + 32) + (192 * 32 + 32) + block(32) + table + 2 * 32 + (32 * 192 + 192),
  );
  t.equal(
    low({ decoder: { width: 32 } }) - low({ decoder: { width: 32 }, superResolution: 'none' }),
    122_190,
    'the high-preserving block over 32 channels',
  );
});

t.test('multiply-adds, counted by hand', async (t) => {
  const size = [224, 224] as const;
  const macs = (options: object, hidden = 36) =>
    lomarCost(shapeOf({ size: 'base', ...options }, baseSpec), { size, M: 4, hidden }).macs;
  const D = 768;
  const blocks = (L: number, T: number, width = D, relative = true) =>
    L * (12 * T * width ** 2 + 2 * T ** 2 * width + (relative ? 50 * T * width : 0));
  const embed = 196 * 768 * D;
  t.equal(macs({}), embed + 4 * (blocks(12, 50) + 50 * 768 * D));
  t.equal(macs({}, 0), macs({}), 'whatever is hidden');
  t.equal(macs({ positions: 'absolute' }), embed + 4 * (blocks(12, 50, D, false) + 50 * 768 * D));
  t.equal(macs({ maskTokensFrom: 4 }), embed + 4 * (blocks(4, 14) + blocks(8, 50) + 50 * 768 * D));
  t.equal(macs({ decoder: {} }), embed + 4 * (blocks(12, 14) + 14 * D * 512 + blocks(8, 50, 512) + 50 * 768 * 512));
  const low = (options: object) =>
    lomarCost(lowShapeOf({ size: 'base', ...options }, baseSpec), { size, M: 4, hidden: 36 }).macs;
  t.equal(low({}), macs({}) + 4 * 36 * 768 * D);
  t.equal(low({ decoder: {}, superResolution: 'none' }), macs({ decoder: {} }) + 4 * 36 * 768 * 512);
});

t.test('what `describe` and the tuner are told', async (t) => {
  const { definition } = lomar;
  const parse = (options: object) => definition.options.parse({ size: 'nano', ...options });
  t.same(definition.work?.(parse({}), nanoSpec), { tokens: 52, sequence: 26, width: 64, depth: 4, heads: 2 });
  t.same(definition.work?.(parse({ maskTokensFrom: 1 }), nanoSpec), {
    ...{ tokens: 22, sequence: 11, width: 64, depth: 1, heads: 2 },
    also: [{ tokens: 52, sequence: 26, width: 64, depth: 3, heads: 2 }],
  });
  t.same(definition.work?.(parse({ decoder: { depth: 3 } }), nanoSpec), {
    ...{ tokens: 22, sequence: 11, width: 64, depth: 4, heads: 2 },
    also: [{ tokens: 52, sequence: 26, width: 64, depth: 3, heads: 2 }],
  });
  const { hidden: _, ...unknown } = nanoSpec;
  t.ok(definition.cost?.(parse({}), unknown));
  t.equal(definition.cost?.(parse({ decoder: {} }), unknown), undefined, 'not without the number of hidden patches');
  t.same(lomarSrmae.definition.fields, ['picture', 'lr', 'windows', 'masks']);
});

t.test('options that exclude each other, or do not fit the stages', async (t) => {
  t.throws(() => shapeOf({ positions: 'absolute', rpeScaled: true }), {
    message:
      'MODEL_OPTION: the option `rpeScaled` of lomar must go with relative positions; got `positions: absolute`. Leave one of them out.',
  });
  t.throws(() => shapeOf({ maskTokensFrom: 4 }), /MODEL_OPTION: .*`maskTokensFrom`.* 0 to 3; got `4`. Try 2/);
  t.throws(() => shapeOf({ maskTokensFrom: 1, decoder: {} }), /MODEL_OPTION: .*`maskTokensFrom`.* without `decoder`/);
  t.same(shapeOf({ maskTokensFrom: 0, decoder: {} }).decoder, { width: 64, depth: 2, heads: 2 });
  t.throws(() => shapeOf({ decoder: { width: 30, heads: 4 } }), /MODEL_HEADS: .* width 30, heads 4/);
  t.throws(() => shapeOf({ decoder: { width: 30, heads: 2 }, positions: 'absolute' }), /MODEL_POSITIONS: .* got 30/);
  t.throws(() => shapeOf({ width: 50, positions: 'absolute' }), /MODEL_POSITIONS: .* got 50/);
  const { grid: _, size: __, ...open } = nanoSpec;
  t.throws(
    () => shapeOf({ positions: 'absolute', patch: 8 }, open),
    /TRAIN_SPEC: the model lomar .* pictures of one size/,
  );
  t.ok(shapeOf({}, { ...nanoSpec, uneven: true }), 'a plain encoder takes any masks');
  for (const options of [{ maskTokensFrom: 1 }, { decoder: {} }])
    t.throws(() => shapeOf(options, { ...nanoSpec, uneven: true }), /MODEL_UNEVEN: lomar /);
  t.throws(() => lowShapeOf({}, { ...nanoSpec, uneven: true }), /MODEL_UNEVEN: lomar-srmae /);
  t.throws(
    () => lowShapeOf({ superResolution: 'hpb' }),
    /MODEL_OPTION: .*`superResolution` of lomar-srmae must go with `decoder`/,
  );
  t.equal(lowShapeOf({ superResolution: 'none' }).lowResolution, 'none');
  t.throws(() => lowShapeOf({ decoder: { width: 40, heads: 2 } }), /MODEL_SUPER_RESOLUTION: .*multiple of 16; got 40/);
  const small = { ...nanoSpec, windows: { K: 1, M: 2 } };
  t.throws(() => lowShapeOf({ decoder: {} }, small), /MODEL_SUPER_RESOLUTION: .*2 × 2/);
  for (const options of [
    { positions: 'learned' },
    { maskTokensFrom: -1 },
    { decoder: { layers: 2 } },
    { superResolution: 'hpb' },
  ])
    t.throws(() => lomarOptions.parse(options));
});
