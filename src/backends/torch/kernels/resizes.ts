import type * as tf from '../../tf.ts';
import { flag, type Kernel, type KernelTable, kernel, list } from './kernel.ts';

type Mode = Omit<tf.ResizeBilinearAttrs, 'size'>;

const forward = (name: string): [string, Kernel] => [
  name,
  kernel<tf.ResizeBilinearAttrs>((torch, { images }, { alignCorners, halfPixelCenters, size }) =>
    torch.one(name, [images], [flag(alignCorners), flag(halfPixelCenters), ...list(size)]),
  ),
];

const backward = (name: string): [string, Kernel] => [
  name,
  kernel<Mode>((torch, { images, dy }, { alignCorners, halfPixelCenters }) =>
    torch.one(name, [images, dy], [flag(alignCorners), flag(halfPixelCenters)]),
  ),
];

/** Resizing of pictures, with gradients. */
export const resizes: KernelTable = Object.fromEntries([
  forward('ResizeBilinear'),
  forward('ResizeNearestNeighbor'),
  backward('ResizeBilinearGrad'),
  backward('ResizeNearestNeighborGrad'),
]);
