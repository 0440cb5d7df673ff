import { duplicates } from './duplicates/index.ts';
import { images } from './images.ts';
import { toJsonl } from './to-jsonl.ts';
import { toShards } from './to-shards.ts';
import { toWebdataset } from './to-webdataset.ts';

/** Every sink that comes with patchstream. A registry is made from this list. */
export const sinks = [images, toShards, toWebdataset, toJsonl, duplicates] as const;

export { duplicates, images, toJsonl, toShards, toWebdataset };
