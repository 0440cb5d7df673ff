import type { HostNumbers } from '../backends/host/numbers.ts';
import type { Tensor, Tensor2D, Tensor3D, Variable } from '../backends/tf.ts';
import type { Random } from '../random.ts';
import type { Stored } from './layers/parameters.ts';
import type { FixedTensor } from './layers/positions.ts';

/** One field of a micro-batch on the host; the first dimension is N, the samples of the micro-batch. */
export type HostTensor = HostNumbers;

/** The micro-batch as the cells hold it: field name to values. picture uint8 [N, H, W, 3], windows int32 [N, M, 2], masks uint8 [N, M, K²] (or [N, n]), label int32 [N]. */
export type HostBatch = Readonly<Record<string, HostTensor>>;

/** Parameters by their timm name (contracts: `blocks.0.attn.qkv.weight`, …), in the memory layout of the model. */
export type Params = Readonly<Record<string, Tensor>>;

/** A loss that can be accumulated: `sum` over `count` terms. Micro-batches add the gradient of the sum; the step divides once by Σ count. */
export interface Loss {
  readonly sum: Tensor;
  /** Follows from the shapes of the inputs. Of a model with `terms` it is their greatest number. */
  readonly count: number;
}

/** Where the chance of a training step comes from: no number is drawn on a backend, and none depends on how the step is cut into micro-batches. */
export interface RandomSource {
  /** The numbers of row n of the micro-batch, by its sample's key and epoch. @param stage what they are for. */
  row(n: number, stage: string): Random;
  /** The numbers of the whole step, the same for each of its micro-batches. */
  step(stage: string): Random;
  /** The step, from 0: what changes over a training follows from it alone, so that a resumed one goes on as it was. */
  readonly stepNumber: number;
}

/** What a model reconstructs: pixels standardised within each patch, or normalised pixels. */
export type Target = 'patchNorm' | 'pixels';

/** What a model is to the train stage: pure functions over named parameters. */
export interface Model {
  readonly name: string;
  /** The fields of a sample that the model reads, in the order in which they lie in a cell. */
  readonly fields: readonly string[];
  /** The names of all parameters, in the order of the layers. */
  readonly parameters: readonly string[];
  /** Fresh parameters on the current backend; the caller owns them. Chance: one generator per parameter name. */
  init(random: (parameter: string) => Random): Record<string, Variable>;
  /**
   * The step's inputs, from the cells: large fields (pictures) as they are, indices computed on the host from small ones. Shapes depend only
   * on N, so that a step can be recorded; the first dimension of each is N, and row n belongs to sample n alone, so that a micro-batch that finds
   * no memory can be computed in parts. Pixels stay uint8 values; they are cut into patches and normalised on the backend.
   *
   * @param chance of a training step; without it nothing is left to chance: drop path is off.
   */
  inputs(batch: HostBatch, chance?: RandomSource): HostBatch;
  /** Scalar sum of the loss over the micro-batch and the number of its terms. Call inside `tf.tidy` / `variableGrads`. */
  loss(params: Params, inputs: Readonly<Record<string, Tensor>>): Loss;
  /** How many terms the loss of these inputs has, of a model of which it does not follow from their shapes: as many as patches are hidden, where pictures differ. */
  terms?(inputs: HostBatch): number;
  /** How a parameter is stored in a file: timm's shape, and the two conversions between it and the memory layout. */
  stored(name: string): Stored;
  /** What files of this model hold beside its parameters: MAE's tables of positions, which are computed and never learned. */
  fixed?(): ReadonlyMap<string, FixedTensor>;
  /** Rows 2i and 2i + 1 of a micro-batch belong together: its number of samples is even, and it is parted between pairs alone. */
  readonly pairs?: boolean;
  /** Whether a tensor of a file that it is to begin with, none of its own, may be left out. By default a classifier's head may. */
  ignores?(name: string): boolean;
  /** Weight decay applies to this parameter. 1-D parameters and biases are not decayed; cls, mask token and RPE tables are. */
  decays(name: string): boolean;
  /** Frees the constants that the model keeps on backends (never parameters). It may be used again afterwards. */
  dispose(): void;
}

/** A model that restores hidden patches of windows, or of the whole grid as one window; or, where it reads no masks, all of the picture from its codes. */
export interface Restorer extends Model {
  /** K patches along a side of a window; the grid's side where the whole grid is masked. */
  readonly shape: { readonly patch: number; readonly K: number; readonly target: Target };
  /**
   * The pixels that the model makes of a micro-batch, all patches, hidden or not, in normalised pixels (with the target `patchNorm`, by the
   * true patch's mean and spread). The caller owns the result.
   *
   * @returns [N, M, K², p²·3] float32, or [N, n, p²·3] where the whole grid is masked.
   */
  reconstruct(params: Params, inputs: Readonly<Record<string, Tensor>>): Tensor;
}

/** What becomes of the tokens of a picture: the mean over its patches, the cls token, or each patch's token. */
export type Pool = 'mean' | 'cls' | 'patches';

/** A model whose encoder makes features of whole pictures. */
export interface Encoder extends Model {
  /**
   * Tokens of whole pictures, nothing hidden, after the last normalisation, the cls token first. The caller owns the result.
   *
   * @param inputs `picture` [N, H, W, 3] float32, values 0–255.
   * @returns [N, n + 1, D].
   */
  encode(params: Params, inputs: Readonly<Record<string, Tensor>>): Tensor3D;
  /** The mean over the patches [N, D], of a model whose last normalisation stands behind it. Default: the mean of what `encode` gives. The caller owns the result. */
  encodeMean?(params: Params, inputs: Readonly<Record<string, Tensor>>): Tensor2D;
}

/** A model that tells classes apart. */
export interface Classifier extends Model {
  /**
   * Scores of each class, the highest being the answer. The caller owns the result.
   *
   * @param inputs `picture` [N, H, W, 3] float32, values 0–255.
   * @returns [N, C].
   */
  classify(params: Params, inputs: Readonly<Record<string, Tensor>>): Tensor2D;
}

/** A model that turns pictures into a grid of codes. */
export interface Tokenizer extends Model {
  /** How many codes there are; a code is an integer from 0. */
  readonly vocabulary: number;
  /**
   * The likeliest code of every patch, in raster order. The caller owns the result.
   *
   * @param inputs `picture` [N, H, W, 3] float32, values 0–255.
   * @returns int32 [N, n].
   */
  tokenize(params: Params, inputs: Readonly<Record<string, Tensor>>): Tensor2D;
}

/** A model that learns the codes of hidden patches. */
export interface CodePredictor extends Model {
  /**
   * Scores of each code for the hidden patches. The caller owns the result.
   *
   * @param inputs as `inputs` makes them, among them `codes` int32 [N, k], those of the hidden patches, and `weights` float32 [N, k], 0 where there is none.
   * @returns [N·k, V].
   */
  codeScores(params: Params, inputs: Readonly<Record<string, Tensor>>): Tensor2D;
}

/** Whether a model turns pictures into codes. */
export function isTokenizer(model: Model): model is Tokenizer {
  return 'tokenize' in model;
}

/** Whether a model learns the codes of hidden patches. */
export function isCodePredictor(model: Model): model is CodePredictor {
  return 'codeScores' in model;
}

/** Whether a model tells classes apart, so that it has an accuracy. */
export function isClassifier(model: Model): model is Classifier {
  return 'classify' in model;
}

/** Whether a model restores pixels, so that it has a reconstruction error. */
export function isRestorer(model: Model): model is Restorer {
  return 'reconstruct' in model && 'shape' in model;
}

/** Whether a model has an encoder, so that its features can be evaluated. */
export function isEncoder(model: Model): model is Encoder {
  return 'encode' in model;
}
