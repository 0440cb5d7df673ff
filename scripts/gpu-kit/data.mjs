import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { filesBelow } from '../lib/stamp.mjs';

/** Photographs as ImageNet's files are, and the side of raw records. */
const count = 64;
const recordSide = 192;

/**
 * Makes what the scripts are fed with: `data/photos`, JPEGs of about 500 × 375 px and 48 KB, and `data/shards`, the same as raw records.
 *
 * @param {string} root
 * @param {string} app
 */
export async function makeData(root, app) {
  await import('../lib/typescript.mjs');
  /** @type {typeof import('../../bench/loader/files.ts')} */
  const { makePhotos } = await import(pathToFileURL(join(root, 'bench/loader/files.ts')).href);
  const data = join(app, 'data');
  await makePhotos(join(data, 'photos'), count);
  copyFileSync(join(root, 'fixtures/README.md'), join(data, 'README.md'));
  const output = mkdtempSync(join(tmpdir(), 'patchstream-gpu-kit-shards-'));
  try {
    /** @type {typeof import('../../src/index.ts')} */
    const built = await import(pathToFileURL(join(root, 'dist/index.js')).href);
    const { decode, definePipeline, imageFolder, pipeline, resize, run, toShards } = built;
    const chain = pipeline(imageFolder(join(data, 'photos')), decode(), resize(recordSide));
    await run(definePipeline({ ...chain, sink: toShards({ pictures: 'raw', sheet: false }), output }));
    mkdirSync(join(data, 'shards'));
    const shards = filesBelow(output, '.').filter((name) => name.endsWith('.shard'));
    if (shards.length === 0) throw new Error('gpu-kit: no shard was written.');
    for (const [i, name] of shards.entries()) copyFileSync(join(output, name), join(data, 'shards', `${i}.shard`));
  } finally {
    rmSync(output, { recursive: true, force: true });
  }
}
