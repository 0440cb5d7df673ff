// Runs the job of test/kit/runs/jobs.ts in a process of its own, which ends without a word the n-th time that it comes to a named point.

import { writeSync } from 'node:fs';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const [point, nth, output, count, sink = 'shards'] = process.argv.slice(2);
/** Files of the sink, and those that lie beside arrays, count as shards. @param {string | undefined} path */
const isShard = (path) => path !== undefined && /\.(shard|parquet|npy)$|-\d{5}\.jsonl$/.test(path);
/** @param {object} handle */
const isOpenShard = (handle) => paths.get(handle)?.endsWith('.tmp') && isShard(paths.get(handle)?.slice(0, -4));
let seen = 0;
/** @param {string} name */
const at = (name) => {
  if (name === point && ++seen === Number(nth)) process.kill(process.pid, 'SIGKILL');
};

const { open, rename } = fs;
/** @type {WeakMap<object, string>} */
const paths = new WeakMap();
/** @param {string} path @param {string} flags */
const opened = async (path, flags) => {
  const handle = await open(path, flags);
  paths.set(handle, path);
  if (isOpenShard(handle)) at('shard opened');
  return handle;
};
/** @param {string} from @param {string} to */
const renamed = async (from, to) => {
  const what = isShard(to) ? 'shard' : to.endsWith('finished.json') ? 'run' : 'other';
  at(`${what} to be named`);
  await rename(from, to);
  at(`${what} named`);
};
Object.assign(fs, { open: opened, rename: renamed });
syncBuiltinESMExports();

const handle = await open(process.execPath, 'r');
const prototype = Object.getPrototypeOf(handle);
await handle.close();
const { sync, write, writeFile } = prototype;
Object.assign(prototype, {
  /** @this {import('node:fs/promises').FileHandle} @param {unknown[]} rest */
  async write(...rest) {
    if (isOpenShard(this)) at('shard to be written');
    const result = await write.apply(this, rest);
    if (isOpenShard(this)) at('shard written in part');
    return result;
  },
  /** @this {import('node:fs/promises').FileHandle} */
  async sync() {
    if (isOpenShard(this)) at('shard to be synced');
    return sync.call(this);
  },
  /** @this {import('node:fs/promises').FileHandle} @param {string} text */
  async writeFile(text) {
    if (!paths.get(this)?.endsWith('written.jsonl.tmp')) return writeFile.call(this, text);
    at('shard to be entered');
    if (point === 'shard entered in part' && text.includes('"file"') && ++seen === Number(nth)) {
      writeSync(this.fd, text.slice(0, text.length >> 1));
      process.kill(process.pid, 'SIGKILL');
    }
    await writeFile.call(this, text);
    at('shard entered');
  },
});

/** @type {typeof import('./jobs.ts')} */
const { runKilled } = await import('./jobs.ts');
await runKilled(String(output), Number(count), {}, /** @type {import('./jobs.ts').KilledSink} */ (sink));
