import type { Fields } from '../sources/source.ts';
import type { Sample } from '../streams/sample.ts';
import { enlarge, maskPatches, outlineWindows, type WindowGrid } from '../vision/draw/sheet.ts';
import type { Pixels } from '../vision/picture.ts';
import { repeatPixels } from '../vision/pixels.ts';
import type { Spec } from '../vision/spec.ts';

/** What a contact sheet can show of a sample. */
export const columns = ['crop', 'lr', 'windows', 'masked'] as const;
export type Column = (typeof columns)[number];

export const headings: Readonly<Record<Column, string>> = {
  crop: 'crop',
  lr: 'low resolution',
  windows: 'windows',
  masked: 'masked',
};

/** A sample whose pictures are rendered, to be shown `scale` times larger. */
export interface Shown {
  readonly sample: Sample & Fields;
  readonly picture: Pixels;
  readonly lr: Pixels | undefined;
  readonly spec: Spec;
  readonly scale: number;
}

/** One tile for each column; undefined where the sample has nothing to show there. */
export function tilesOf(shown: readonly Column[], of: Shown): (Pixels | undefined)[] {
  const crop = enlarge(of.picture, of.scale);
  return shown.map((column) => (column === 'crop' ? crop : draw[column](crop, of)));
}

const draw: Readonly<Record<Exclude<Column, 'crop'>, (crop: Pixels, of: Shown) => Pixels | undefined>> = {
  // Nearest, so that one sees how little the model is given.
  lr: (crop, { lr }) => lr && repeatPixels(lr, crop.width, crop.height),
  windows: (crop, of) => {
    const windows = windowsOf(of);
    return windows && outlineWindows(crop, windows);
  },
  masked: (crop, of) => {
    const { masks } = of.sample;
    const { grid } = of.spec;
    if (!(masks instanceof Uint8Array) || grid === undefined) return undefined;
    const windows = windowsOf(of);
    return maskPatches(crop, masks, {
      side: grid.side,
      patch: grid.patch * of.scale,
      ...(windows === undefined ? {} : { windows }),
    });
  },
};

function windowsOf({ sample, spec, scale }: Shown): WindowGrid | undefined {
  const { windows } = sample;
  if (!(windows instanceof Int32Array) || spec.windows === undefined || spec.grid === undefined) return undefined;
  return { windows, K: spec.windows.K, patch: spec.grid.patch * scale };
}
