// Compares the vectors of test/kit/runs/compared-vectors.ts in a process of its own, which ends without a word the n-th time that it comes to a named point.

import { writeSync } from 'node:fs';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const [point, nth, output] = process.argv.slice(2);
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
  return handle;
};
/** @param {string} from @param {string} to */
const renamed = async (from, to) => {
  at('record to be named');
  await rename(from, to);
  at('record named');
};
Object.assign(fs, { open: opened, rename: renamed });
syncBuiltinESMExports();

const handle = await open(process.execPath, 'r');
const prototype = Object.getPrototypeOf(handle);
await handle.close();
const { sync, writeFile } = prototype;
/** @param {object} handle */
const isRecord = (handle) => paths.get(handle)?.endsWith('compared.jsonl');
Object.assign(prototype, {
  /** @this {import('node:fs/promises').FileHandle} @param {string} text */
  async writeFile(text) {
    if (!isRecord(this)) return writeFile.call(this, text);
    at('block to be written');
    if (point === 'block written in part' && ++seen === Number(nth)) {
      writeSync(this.fd, text.slice(0, text.length >> 1));
      process.kill(process.pid, 'SIGKILL');
    }
    await writeFile.call(this, text);
    at('block written');
  },
  /** @this {import('node:fs/promises').FileHandle} */
  async sync() {
    await sync.call(this);
    if (isRecord(this)) at('block synced');
  },
});

/** @type {typeof import('./compared-vectors.ts')} */
const { compareNumbered } = await import('./compared-vectors.ts');
await compareNumbered(String(output));
