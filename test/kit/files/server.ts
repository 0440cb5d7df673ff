import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server that has one file at every address and answers requests for ranges of it. `sends` hears how many bytes each answer has. */
export async function serve(t: import('tap').Test, file: Buffer, sends: (bytes: number) => void = () => {}) {
  const server = createServer((request, response) => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    const last = Math.min(Number(to), file.length - 1);
    const part = file.subarray(Number(from), last + 1);
    sends(part.length);
    const headers = {
      'content-range': `bytes ${from}-${last}/${file.length}`,
      'content-length': part.length,
      etag: '"one"',
    };
    response.writeHead(206, headers).end(part);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
