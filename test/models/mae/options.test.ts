import t from 'tap';
import {
  decoderTransformer,
  type EncoderSize,
  encoderParameters,
  encoderSizes,
} from '../../../src/models/layers/encoder.options.ts';
import { countParameters } from '../../../src/models/layers/parameters.ts';
import { maeCost, maeOptions, maeParameters, maeShape } from '../../../src/models/mae/options.ts';
import { hiddenOnGrid } from '../../../src/vision/masks.ts';

const spec = (patch: number, size: number) => ({ grid: { patch, side: size / patch } });
const shapeOf = (size: EncoderSize, pixels = 224) =>
  maeShape(maeOptions.parse({ size }), spec(size === 'nano' ? 8 : size === 'huge' ? 14 : 16, pixels));

t.test('parameters by size, as published or worked out by hand', (t) => {
  // Encoder; encoder and decoder together.
  const counts: Record<EncoderSize, [number, number]> = {
    nano: [212_480, 212_480 + 64 + (64 * 64 + 64) + 2 * (12 * 64 ** 2 + 13 * 64) + 2 * 64 + (64 * 192 + 192)],
    tiny: [5_486_592, 31_200_000],
    small: [21_590_016, 47_401_728],
    base: [85_647_360, 111_655_680],
    large: [303_099_904, 329_239_296],
    huge: [630_435_840, 656_613_964],
  };
  for (const [size, [encoder, whole]] of Object.entries(counts) as [EncoderSize, [number, number]][]) {
    const shape = shapeOf(size);
    t.equal(countParameters(encoderParameters(shape)), encoder, `${size}: encoder`);
    t.equal(countParameters(maeParameters(shape)), whole, `${size}: all`);
  }
  t.end();
});

t.test('forward multiply-adds per image, in units of 10⁹', (t) => {
  const gmacs = (size: EncoderSize, pixels = 224) => {
    const shape = shapeOf(size, pixels);
    return Number((maeCost(shape, hiddenOnGrid(shape.K ** 2, 0.75)).macs / 1e9).toFixed(2));
  };
  t.same(
    ['tiny', 'small', 'base', 'large', 'huge'].map((size) => gmacs(size as EncoderSize)),
    [5.66, 6.51, 9.78, 20.76, 48.56],
  );
  t.same(
    [224, 384, 448].map((pixels) => gmacs('base', pixels)),
    [9.78, 30.57, 43.1],
  );
  t.end();
});

t.test('what options and stages say together', (t) => {
  const parse = maeOptions.parse.bind(maeOptions);
  const decoder = { width: 512, depth: 8, heads: 16 };
  t.same(maeShape(parse({}), spec(16, 224)), { ...encoderSizes.tiny, patch: 16, K: 14, target: 'patchNorm', decoder });
  t.same(maeShape(parse({ size: 'nano' }), spec(8, 64)).decoder, { width: 64, depth: 2, heads: 2 });
  t.same(maeShape(parse({ decoderWidth: 256, decoderDepth: 4, decoderHeads: 8 }), spec(16, 224)).decoder, {
    width: 256,
    depth: 4,
    heads: 8,
  });
  t.same(decoderTransformer({ size: 'huge' }), decoder, 'the same for every size');
  t.match(maeShape(parse({ patch: 8, width: 96 }), { size: [64, 64] }), { width: 96, patch: 8, K: 8 });
  for (const [name, option] of Object.entries(maeOptions.shape)) t.ok(option.description, `${name} is described`);
  t.end();
});

t.test('shapes that cannot be', (t) => {
  const shape = (options: object, from: Parameters<typeof maeShape>[1] = spec(16, 224)) =>
    maeShape(maeOptions.parse(options), from);
  t.throws(
    () => shape({}, { ...spec(16, 224), windows: { K: 7, M: 4 } }),
    /MODEL_WHOLE: mae hides patches of the whole/,
  );
  t.throws(
    () => shape({}, { ...spec(16, 224), uneven: true }),
    /MODEL_UNEVEN: mae must be shown as many patches of every picture/,
  );
  t.throws(() => shape({}, { size: [224, 224] }), /MODEL_PATCH: .* got none/);
  t.throws(() => shape({ patch: 8 }), /MODEL_PATCH: .* the stages say 16, the model says 8/);
  t.throws(() => shape({ patch: 15 }, { size: [224, 224] }), /PATCH_SIDE: .* 224 px; got 15. Try (14|16)/);
  t.throws(() => shape({ patch: 16 }, { size: [224, 192] }), /PICTURE_SQUARE/);
  t.throws(() => shape({ patch: 16 }, {}), /TRAIN_SPEC: the model mae/);
  t.throws(() => shape({ heads: 5 }), /MODEL_HEADS: .* width 192, heads 5/);
  t.throws(() => shape({ decoderHeads: 3 }), /MODEL_HEADS: .* width 512, heads 3/);
  t.throws(() => shape({ decoderWidth: 102, decoderHeads: 2 }), /MODEL_POSITIONS: .* got 102/);
  t.throws(() => shape({ width: 90, heads: 2 }), /MODEL_POSITIONS: .* got 90/);
  t.throws(() => maeOptions.parse({ size: 'giant' }));
  t.throws(() => maeOptions.parse({ rpeScaled: true }), 'an option of LoMaR');
  t.end();
});
