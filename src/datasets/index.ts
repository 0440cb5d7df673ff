import { idx } from './idx.ts';
import { imageFolder } from './image-folder.ts';
import { images } from './images.ts';

/** Every source and sink that comes with patchstream. A registry is made from these lists. */
export const sources = [imageFolder, idx] as const;
export const sinks = [images] as const;

export { idx, imageFolder, images };
