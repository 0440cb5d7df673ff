import type { BufferPool } from '../../files/buffer-pool.ts';
import type { BatcherOptions } from '../../streams/batcher.ts';
import type { Sample } from '../../streams/sample.ts';
import type { CellLayout } from '../../train/cells.ts';
import { Picture } from '../../vision/picture.ts';
import { queuedPerThread } from '../../vision/render/native.ts';
import type { Loader } from './engine.ts';
import { writeCell } from './layout.ts';

/** How the samples of a loader are written into cells: what its batcher is run with beside the ring and the size. */
export function rendering(loader: Loader, layout: CellLayout): Omit<BatcherOptions, 'ring' | 'size'> {
  const recycler = loader.recycle();
  return {
    write: (sample, cell) => writeCell(sample, cell, layout),
    // What failed keeps its file: another part of the renderer may still read there.
    ...(recycler && { written: (sample: Sample) => giveBack(wanted(sample, layout), recycler) }),
    ...loader.ending('render', queuedPerThread()),
  };
}

function wanted(sample: Sample, { fields }: CellLayout): readonly unknown[] {
  return fields.map(({ name }) => (sample as Sample & Record<string, unknown>)[name]);
}

/** Gives back the memory of the files and records that the pictures among the values of a sample were rendered from. */
export function giveBack(values: readonly unknown[], recycler: BufferPool): void {
  for (const value of values) {
    if (!(value instanceof Picture)) continue;
    const { origin } = value;
    recycler.giveBack(origin.kind === 'raw' ? origin.data : origin.bytes);
  }
}
