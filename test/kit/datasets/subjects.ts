import { ckPlus } from '../../../src/sources/datasets/ck-plus.ts';
import { imagenet } from '../../../src/sources/datasets/imagenet.ts';
import { rafDb } from '../../../src/sources/datasets/raf-db.ts';
import { ckPlusExample, imagenetExample, rafDbExample, synsetsOf } from './examples.ts';
import type { Subject } from './mutate.ts';

const classes = 5;
const wnids = synsetsOf(classes).map(({ wnid }) => wnid);

/** What is mutated of each data set. */
export const subjects: Readonly<Record<string, () => Promise<Subject>>> = {
  'ck-plus': async () => ({
    source: ckPlus,
    example: await ckPlusExample(undefined, { width: 4, height: 3 }),
    described: /_emotion\.txt$/,
    // A sequence has one emotion, and three frames that show it.
    perByte: 3,
  }),
  'raf-db': async () => ({ source: rafDb, example: await rafDbExample(), described: /\.txt$/, perByte: 1 }),
  'imagenet val': async () => ({
    source: imagenet,
    example: await imagenetExample({ classes, deflate: false, perClass: 1 }),
    options: { part: 'val', classes },
    described: /devkit/,
    perByte: 1,
  }),
  'imagenet train': async () => ({
    source: imagenet,
    example: await imagenetExample({ classes, val: 'folders', perClass: 2, characters: 'utf16', deflate: false }),
    options: { classes },
    described: /meta\.mat$/,
    perByte: 0,
    labelOf: (key) => wnids.indexOf(key.split('/')[0]!),
  }),
};
