import { duplicates } from './duplicates/index.ts';
import { images } from './images.ts';
import { toJsonl } from './to-jsonl.ts';
import { toNpy } from './to-npy.ts';
import { toParquet } from './to-parquet.ts';
import { toShards } from './to-shards.ts';
import { toWebdataset } from './to-webdataset.ts';

/** Every sink that comes with patchstream. A registry is made from this list. */
export const sinks = [images, toShards, toWebdataset, toJsonl, toParquet, toNpy, duplicates] as const;

export { duplicates, images, toJsonl, toNpy, toParquet, toShards, toWebdataset };
