import { expw } from './expw.ts';
import { idx } from './idx.ts';
import { imageFolder } from './image-folder.ts';
import { images } from './images.ts';
import { shards } from './shards.ts';
import { svhn } from './svhn.ts';
import { toJsonl } from './to-jsonl.ts';
import { toShards } from './to-shards.ts';
import { toWebdataset } from './to-webdataset.ts';
import { webdataset } from './webdataset.ts';

/** Every source and sink that comes with patchstream. A registry is made from these lists. */
export const sources = [imageFolder, shards, webdataset, idx, svhn, expw] as const;
export const sinks = [images, toShards, toWebdataset, toJsonl] as const;

export { expw, idx, imageFolder, images, shards, svhn, toJsonl, toShards, toWebdataset, webdataset };
