import { expw } from './expw.ts';
import { idx } from './idx.ts';
import { imageFolder } from './image-folder.ts';
import { images } from './images.ts';
import { shards } from './shards.ts';
import { svhn } from './svhn.ts';
import { toShards } from './to-shards.ts';

/** Every source and sink that comes with patchstream. A registry is made from these lists. */
export const sources = [imageFolder, shards, idx, svhn, expw] as const;
export const sinks = [images, toShards] as const;

export { expw, idx, imageFolder, images, shards, svhn, toShards };
