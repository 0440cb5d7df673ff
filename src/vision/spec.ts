import type { Format } from './headers/formats.ts';

/** What is known of the samples at one place of a chain, before any data is opened. Folded from the source to the end by `check`. */
export interface Spec {
  readonly fields: Readonly<Record<string, FieldSpec>>;
  /** The picture's [height, width] in pixels; absent until a stage fixes it. */
  readonly size?: readonly [number, number];
  /** Square patches of `patch` pixels, `side` along each side of the picture. Set by the first stage that needs a grid. */
  readonly grid?: { readonly patch: number; readonly side: number };
  /** M windows of K × K patches. */
  readonly windows?: { readonly K: number; readonly M: number };
  /** Patches that `mask` hides of each window, or of the whole picture where there are no windows. */
  readonly hidden?: number;
  /** True where `mask` may hide fewer than `hidden` of some. */
  readonly uneven?: true;
  /** Codes of the tokenizer that `tokenize` asks: of how many the field `codes` are. */
  readonly vocabulary?: number;
  readonly classes?: number;
  /** The formats that the source lets through where they are more than JPEG, PNG and WebP; `decode` follows it. */
  readonly formats?: readonly Format[];
  /** What trained models have made fields of whose shapes are not known (`open`). */
  readonly origins?: Readonly<Record<string, Origin>>;
  /** True after a stage whose effect is not known (`each`, `operator`): sizes are then taken from the samples, and shape checks are silent. */
  readonly open?: true;
}

/**
 * A field of a sample: fixed-size numbers; `picture`, rendered to uint8 [H, W, 3] with the spec's `size`; a picture with a size of its
 * own (`lr`); or bytes of any length, or text, one or a list of them (neither ever in a batch).
 */
export type FieldSpec = Numbers | 'picture' | OwnPicture | 'bytes' | 'text';

/** What a trained model has made a field of: fields of another origin are no likeness of these. */
export interface Origin {
  /** The run, checkpoint or file of weights, as it was written or as an absolute path. */
  readonly from: string;
  /** What became of the model's answer: of vectors `mean`, `cls` or `patches`. */
  readonly pool?: string;
  /** A digest of model, weights and `pool`. */
  readonly fingerprint: string;
}

/** A picture of [height, width] pixels, whatever the spec's `size`; null where the size is not known (after an open stage). */
export interface OwnPicture {
  readonly picture: readonly [number, number] | null;
}

export interface Numbers {
  readonly dtype: 'uint8' | 'int32' | 'float32';
  readonly shape: readonly number[];
  /** Of numbers that a trained model has made. */
  readonly origin?: Origin;
}
