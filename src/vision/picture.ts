/** A rectangle in pixels of the picture as it stands (after orientation and the operations before). Integers. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Rendered pixels: uint8 RGB, rows first, [height, width, 3]. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}
