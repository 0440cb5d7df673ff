/**
 * Photographs to vectors by transformers.js (onnxruntime), as its users have it: the pictures of the next batches are read and prepared while one is computed. The protocol is that of embed.py;
 * `model` of `open` is a folder as `from_pretrained` takes it. Run in a folder that has the package: `node transformers.mjs PACKAGE_FOLDER`.
 */
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const required = createRequire(join(process.argv[2], 'package.json'));
const entry = required.resolve('@huggingface/transformers');
const { AutoImageProcessor, AutoModel, RawImage, env } = await import(pathToFileURL(entry).href);
const { version } = env;
env.allowRemoteModels = false;

/** @param {object} answer */
const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);

/** How many batches are made ready ahead, and how large they are. */
const settings = [1, 8, 32].flatMap((batch) => [1, 2].map((ahead) => ({ batch, ahead })));

/** @type {any} */
let state;

/** @param {any} c */
async function begin({ folder, model: path, setting }) {
  env.localModelPath = dirname(path);
  const name = path.slice(dirname(path).length + 1);
  if (state?.path !== path) {
    const options = { dtype: 'fp32', device: 'cpu', local_files_only: true };
    state = {
      path,
      model: await AutoModel.from_pretrained(name, options),
      processor: await AutoImageProcessor.from_pretrained(name, options),
    };
  }
  const files = readdirSync(folder).sort();
  state.files = files.map((file) => join(folder, file));
  state.setting = setting;
  state.next = 0;
  state.waiting = [];
  await step();
  return { opened: true };
}

/** The pixels of the next pictures. @param {number} count */
async function prepared(count) {
  const paths = Array.from({ length: count }, () => state.files[state.next++ % state.files.length]);
  const images = await Promise.all(paths.map((path) => RawImage.read(path)));
  return state.processor(images);
}

/** Vectors of one batch: the mean over the tokens of its patches. */
async function step() {
  const { batch, ahead } = state.setting;
  while (state.waiting.length < ahead + 1) state.waiting.push(prepared(batch));
  const { pixel_values } = await state.waiting.shift();
  return mean((await state.model({ pixel_values })).last_hidden_state);
}

/** @param {any} tokens [N, n + 1, D] @returns {number[][]} */
function mean(tokens) {
  const [N, n, D] = tokens.dims;
  return Array.from({ length: N }, (_, i) => {
    const row = new Float64Array(D);
    for (let t = 1; t < n; t++) for (let d = 0; d < D; d++) row[d] += tokens.data[(i * n + t) * D + d];
    return Array.from(row, (value) => value / (n - 1));
  });
}

/** @param {{ skip: number, batches: number }} request of 32 pictures each */
async function turn({ skip, batches }) {
  const { batch } = state.setting;
  const steps = (/** @type {number} */ count) => Math.ceil((count * 32) / batch);
  for (let n = 0; n < steps(skip); n++) await step();
  const begun = performance.now();
  for (let n = 0; n < steps(batches); n++) await step();
  return { ms: performance.now() - begun, images: steps(batches) * batch };
}

/** @param {any} request */
async function answer(request) {
  if (request.open) return begin(request.open);
  if (request.turn) return turn(request.turn);
  await begin({ ...request.vectors, setting: { batch: 1, ahead: 1 } });
  state.next = 0;
  state.waiting = [];
  const rows = [];
  for (let n = 0; n < request.vectors.count; n++) rows.push(...(await step()));
  return { rows };
}

say({ version: `transformers.js ${version}`, settings });
for await (const line of createInterface({ input: process.stdin })) {
  try {
    say(await answer(JSON.parse(line)));
  } catch (error) {
    say({ error: error instanceof Error ? error.message : String(error) });
  }
}
process.exit(0);
