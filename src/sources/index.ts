import { expw } from './expw.ts';
import { idx } from './idx.ts';
import { imageFolder } from './image-folder.ts';
import { shards } from './shards.ts';
import { svhn } from './svhn.ts';
import { webdataset } from './webdataset.ts';

/** Every source that comes with patchstream. A registry is made from this list. */
export const sources = [imageFolder, shards, webdataset, idx, svhn, expw] as const;

export { expw, idx, imageFolder, shards, svhn, webdataset };
