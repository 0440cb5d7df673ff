import { join } from 'node:path';
import { partOf } from '../../../src/sources/selection.ts';
import { writeFiles } from '../files/folder.ts';
import { gradient, jpeg } from '../pictures/pictures.ts';
import { ckPlusExample, imagenetExample, rafDbExample } from './examples.ts';
import { array, deflated, element, matFile } from './mat.ts';

/** Classes of the small ImageNet. */
export const imagenetClasses = 5;

/** Small data sets as they are published, below `root`. @returns the environment that pipelines find them by */
export async function publishedData(root: string): Promise<Record<string, string>> {
  const [imagenet, ckPlus, rafDb] = await Promise.all([
    imagenetExample({ classes: imagenetClasses, side: 40 }),
    ckPlusExample(undefined, { width: 64, height: 49 }),
    rafDbExample(10, 7, 100),
  ]);
  writeFiles(join(root, 'imagenet'), imagenet.files);
  writeFiles(join(root, 'ck-plus'), ckPlus.files);
  writeFiles(join(root, 'raf-db'), rafDb.files);
  writeFiles(join(root, 'svhn'), { 'train_32x32.mat': svhnFile(12), 'test_32x32.mat': svhnFile(6) });
  writeFiles(join(root, 'expw'), await expwFiles(20));
  return {
    IMAGENET: join(root, 'imagenet'),
    CKPLUS: join(root, 'ck-plus'),
    RAFDB: join(root, 'raf-db'),
    SVHN: join(root, 'svhn'),
    EXPW: join(root, 'expw'),
    // Most folds of so few persons are empty.
    FOLD: String(partOf('S137', 10)),
  };
}

function svhnFile(count: number): Buffer {
  const pixels = Buffer.from(Array.from({ length: 32 * 32 * 3 * count }, (_, i) => (i * 7) % 256));
  const digits = Buffer.from(Array.from({ length: count }, (_, i) => (i % 10) + 1));
  const X = array(9, [32, 32, 3, count], 'X', element(2, pixels));
  return matFile(deflated(X), deflated(array(9, [count, 1], 'y', element(2, digits))));
}

async function expwFiles(photos: number) {
  const picture = await jpeg(gradient(160, 120));
  const names = Array.from({ length: photos }, (_, i) => `photo_${i}.jpg`);
  const lines = names.flatMap((name, i) => [
    `${name} 0 10 10 110 110 60.5 ${i % 7}`,
    `${name} 1 5 30 140 100 50 ${(i + 3) % 7}`,
  ]);
  const origin = Object.fromEntries(names.map((name) => [`image/origin/${name}`, picture]));
  return { ...origin, 'label/label.lst': `${lines.join('\n')}\n` };
}

/** Faces of ExpW in shards, as the pipeline expw-faces makes them, by the boxes of the list: that needs no detector. */
export const expwShards = (output: string) => `
name: expw-faces
source: { expw: { path: "\${EXPW}", minSide: 44 } }
stages: [decode, crop-box, { resize: 100 }]
sink: { shards: {} }
output: ${output}
`;
