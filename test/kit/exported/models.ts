import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import * as tf from '../../../src/backends/tf.ts';
import { encodeSafetensors, type FloatTensor } from '../../../src/formats/safetensors.ts';
import type { OnnxOptions } from '../../../src/inference/onnx.ts';
import { buildModel } from '../../../src/models/index.ts';
import { trainedKey, trainedText } from '../../../src/train/weights/trained-on.ts';
import { modelTensors } from '../../../src/train/weights/weights.ts';
import type { Spec } from '../../../src/vision/spec.ts';
import { formulaParameters } from '../training/models.ts';

/** A small model of each kind that is exported. */
export interface Exported {
  readonly name: string;
  readonly model: string;
  readonly options?: object;
  readonly spec?: Partial<Spec>;
  readonly module?: string;
  readonly classNames?: readonly string[];
  readonly pool?: OnnxOptions['pool'];
}

const small = { width: 16, depth: 2, heads: 2, patch: 8 };
const windows = { windows: { K: 3, M: 1 } };
const coded = { vocabulary: 8, hidden: 6, fields: { codes: { dtype: 'int32', shape: [16] } } } as const;
const classNames = ['a', 'é', '"c"'];
const classifier = (name: string, options: object): Exported => ({
  name: `classifier-${name}`,
  model: 'classifier',
  options: { ...small, classes: 3, ...options },
  classNames,
});

export const exportable: readonly Exported[] = [
  { name: 'lomar', model: 'lomar', options: small, spec: windows },
  { name: 'lomar-scaled', model: 'lomar', options: { ...small, rpeScaled: true }, spec: windows, pool: 'cls' },
  {
    name: 'lomar-absolute',
    model: 'lomar',
    options: { ...small, positions: 'absolute' },
    spec: windows,
    pool: 'patches',
  },
  { name: 'lomar-wide', model: 'lomar', options: small, spec: { ...windows, size: [32, 48] } },
  {
    name: 'lomar-decoder',
    model: 'lomar',
    options: { ...small, decoder: { width: 16, depth: 1, heads: 2 }, positions: 'absolute' },
    spec: windows,
  },
  { name: 'mae', model: 'mae', options: { ...small, decoderWidth: 16, decoderDepth: 1, decoderHeads: 2 } },
  { name: 'mae-cls-tokens', model: 'mae', options: { ...small, clsTokens: 3, decoderWidth: 16 }, pool: 'cls' },
  { name: 'srmae', model: 'srmae', options: { ...small, decoderWidth: 16, decoderDepth: 1, decoderHeads: 2 } },
  { name: 'lomar-srmae', model: 'lomar-srmae', options: small, spec: windows },
  { name: 'beit', model: 'beit', options: small, spec: coded },
  { name: 'lomar-beit', model: 'lomar-beit', options: small, spec: { ...coded, ...windows } },
  classifier('lomar', { encoder: 'lomar' }),
  classifier('lomar-qkv', { encoder: 'lomar', rpeOn: 'qkv', pool: 'cls' }),
  classifier('lomar-absolute', { encoder: 'lomar', positions: 'absolute', dropPath: 0.2, mixup: 0.8 }),
  classifier('mae', { encoder: 'mae' }),
  classifier('mae-cls', { encoder: 'mae', clsTokens: 2, pool: 'cls' }),
  classifier('beit', { encoder: 'beit' }),
  classifier('beit-cls', { encoder: 'beit', layerScale: 0, pool: 'cls' }),
  { ...classifier('vectors', { encoder: 'lomar' }), pool: 'mean' },
  { ...classifier('vectors-cls', { encoder: 'mae', clsTokens: 2, pool: 'cls' }), pool: 'cls' },
  { name: 'tokenizer', model: 'tokenizer', options: { size: 'nano', halvings: 3 } },
];

/** Pictures of these, where their spec has no other size. */
export const exportedSize: readonly [number, number] = [32, 32];

/** Writes a file of weights, as a checkpoint has it. */
export async function weightsFile(
  folder: string,
  { name, model: kind, options = {}, spec, module, classNames }: Exported,
) {
  const own: Spec = { fields: {}, size: exportedSize, grid: { patch: 8, side: 4 }, hidden: 6, ...spec };
  const named = { name: kind, options, spec: own, ...(module !== undefined && { module }) };
  const model = await buildModel(named);
  const params = formulaParameters(model);
  const tensors = new Map<string, FloatTensor>();
  for (const [key, tensor] of modelTensors(model, params))
    tensors.set(key, { shape: tensor.shape, data: 'data' in tensor ? tensor.data : await tensor.read() });
  tf.dispose(params);
  model.dispose();
  const stages = [
    { name: 'decode', options: {} },
    { name: 'resize', options: { size: spec?.size ?? 32 } },
  ];
  const text = trainedText({ model: named, stages, classNames });
  const path = join(folder, `${name}.safetensors`);
  writeFileSync(path, Buffer.concat(encodeSafetensors(tensors, { [trainedKey]: text })));
  return path;
}

/** Photographs of the repository as [count, height, width, 3]. */
export async function exportedPictures(count: number, [height, width] = exportedSize): Promise<Uint8Array> {
  const folder = 'fixtures/held-out';
  const names = readdirSync(folder).sort().slice(0, count);
  const pixels = names.map((name) => sharp(join(folder, name)).resize(width, height).removeAlpha().raw().toBuffer());
  return Buffer.concat(await Promise.all(pixels));
}
