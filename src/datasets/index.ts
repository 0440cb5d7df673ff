import { expw } from './expw.ts';
import { idx } from './idx.ts';
import { imageFolder } from './image-folder.ts';
import { images } from './images.ts';
import { svhn } from './svhn.ts';

/** Every source and sink that comes with patchstream. A registry is made from these lists. */
export const sources = [imageFolder, idx, svhn, expw] as const;
export const sinks = [images] as const;

export { expw, idx, imageFolder, images, svhn };
