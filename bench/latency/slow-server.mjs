/**
 * `node bench/latency/slow-server.mjs FOLDER MILLISECONDS MEGABITS`: serves the files of a folder by http as a server behind a line does: each answer begins so many milliseconds after its
 * request, and all answers together have so many megabits a second. Ranges as RFC 9110 has them, one of each request. The first line on stdout is the port.
 */
import { open, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { basename, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const [folder = '', milliseconds = '0', megabits = '0'] = process.argv.slice(2);
const bytesEach = 2 ** 14;
const msPerByte = 8 / 1000 / Number(megabits);

/** When the line has carried all that it was given. */
let free = 0;

/** @param {number} bytes */
async function carry(bytes) {
  free = Math.max(free, performance.now()) + bytes * msPerByte;
  const wait = free - performance.now();
  if (wait > 1) await pause(wait);
}

/**
 * @param {import('node:http').IncomingMessage} request
 * @param {import('node:http').ServerResponse} response
 */
async function answer(request, response) {
  await pause(Number(milliseconds));
  const path = join(folder, basename(decodeURIComponent(request.url ?? '')));
  const { size } = await stat(path);
  const [, from = '0', to = ''] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  const end = Math.min(size, to === '' ? size : Number(to) + 1);
  const headers = { 'content-length': end - Number(from), 'content-range': `bytes ${from}-${end - 1}/${size}` };
  response.writeHead(request.headers.range === undefined ? 200 : 206, headers);
  const file = await open(path);
  try {
    for (let at = Number(from); at < end && !response.destroyed; ) {
      const { buffer, bytesRead } = await file.read({
        buffer: Buffer.allocUnsafe(Math.min(bytesEach, end - at)),
        position: at,
      });
      await carry(bytesRead);
      response.write(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
    response.end();
  } finally {
    await file.close();
  }
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => response.destroy(error));
});
server.listen(0, '127.0.0.1', () => {
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  console.log(address.port);
});
