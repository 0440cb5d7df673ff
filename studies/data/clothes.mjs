/**
 * Writes the clothes of the package fashion-mnist as IDX files, which the source `idx` reads: clothes/train-images, train-labels, test-images, test-labels.
 * The package has 7,000 pictures of 28 × 28 grey values for each of ten classes, without the split into training and test pictures that was published with them; here every
 * seventh picture of a class is a test picture. So figures are not those of other tables. Run: npm ci --prefix studies/data && node studies/data/clothes.mjs
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const side = 28;
const pixels = side * side;
const classes = 10;
const package_ = dirname(createRequire(import.meta.url).resolve('fashion-mnist/package.json'));
const folder = join(dirname(fileURLToPath(import.meta.url)), 'clothes');

/** @type {{ train: { image: Buffer, label: number }[], test: { image: Buffer, label: number }[] }} */
const split = { train: [], test: [] };
for (let label = 0; label < classes; label++) {
  const file = join(package_, 'src', 'clothes', `${label}.json`);
  /** @type {{ data: number[][] }} */
  const { data } = JSON.parse(readFileSync(file, 'utf8'));
  // Each file ends with a picture without pixels.
  const pictures = data.filter((values) => values.length > 0);
  const odd = pictures.findIndex((values) => values.length !== pixels);
  if (odd >= 0)
    throw new Error(`${file}: a picture must have ${pixels} pixels; picture ${odd} has ${pictures[odd].length}.`);
  for (const [i, values] of pictures.entries())
    split[i % 7 === 6 ? 'test' : 'train'].push({ image: Buffer.from(values), label });
}

mkdirSync(folder, { recursive: true });
for (const [part, all] of Object.entries(split)) {
  // Neighbours in the file are of different classes, so that the first thousands have some of each.
  const samples = all.map((sample, i) => ({ ...sample, order: (i * 7919) % all.length }));
  samples.sort((a, b) => a.order - b.order);
  writeFileSync(
    join(folder, `${part}-images`),
    Buffer.concat([header(3, [samples.length, side, side]), ...samples.map(({ image }) => image)]),
  );
  writeFileSync(
    join(folder, `${part}-labels`),
    Buffer.concat([header(1, [samples.length]), Buffer.from(samples.map(({ label }) => label))]),
  );
  console.log(`${join('clothes', `${part}-images`)}: ${samples.length} pictures`);
}

/**
 * The head of an IDX file of bytes: 0, 0, their type, the number of dimensions, and each as four bytes, the highest first.
 *
 * @param {number} dimensions
 * @param {readonly number[]} shape
 */
function header(dimensions, shape) {
  const head = Buffer.alloc(4 + 4 * dimensions);
  head.set([0, 0, 8, dimensions]);
  for (const [i, size] of shape.entries()) head.writeUInt32BE(size, 4 + 4 * i);
  return head;
}
