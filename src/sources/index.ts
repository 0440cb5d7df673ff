import { ckPlus } from './datasets/ck-plus.ts';
import { imagenet } from './datasets/imagenet.ts';
import { rafDb } from './datasets/raf-db.ts';
import { expw } from './expw.ts';
import { idx } from './idx.ts';
import { imageFolder } from './image-folder.ts';
import { mixture } from './mixture/mixture.ts';
import { shards } from './shards.ts';
import { svhn } from './svhn.ts';
import { manifest } from './tables/manifest.ts';
import { parquet } from './tables/parquet.ts';
import { webdataset } from './webdataset.ts';

/** Every source that comes with patchstream. A registry is made from this list. */
export const sources = [
  imageFolder,
  manifest,
  parquet,
  shards,
  webdataset,
  idx,
  svhn,
  expw,
  ckPlus,
  rafDb,
  imagenet,
  mixture,
] as const;

export { ckPlus, expw, idx, imageFolder, imagenet, manifest, mixture, parquet, rafDb, shards, svhn, webdataset };
