/** What is known of the samples at one place of a chain, before any data is opened. Folded from the source to the end by `check`. */
export interface Spec {
  readonly fields: Readonly<Record<string, FieldSpec>>;
  /** The picture's [height, width] in pixels; absent until a stage fixes it. */
  readonly size?: readonly [number, number];
  /** Square patches of `patch` pixels, `side` along each side of the picture. Set by the first stage that needs a grid. */
  readonly grid?: { readonly patch: number; readonly side: number };
  /** M windows of K × K patches. */
  readonly windows?: { readonly K: number; readonly M: number };
  readonly classes?: number;
  /** True after a stage whose effect is not known (`each`, `operator`): sizes are then taken from the samples, and shape checks are silent. */
  readonly open?: true;
}

/** A field of a sample: fixed-size numbers, a picture (rendered to uint8 [H, W, 3]), or bytes of any length (never in a batch). */
export type FieldSpec = Numbers | 'picture' | 'bytes';

export interface Numbers {
  readonly dtype: 'uint8' | 'int32' | 'float32';
  readonly shape: readonly number[];
}
