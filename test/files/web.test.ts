import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { openWeb } from '../../src/files/web.ts';
import { tarEnd } from '../../src/formats/tar/write.ts';
import { webdataset } from '../../src/sources/webdataset.ts';
import { tarFile } from '../kit/files/tars.ts';
import { openSource } from '../kit/runs/jobs.ts';

const file = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));
const patience = { timeout: 5, deadline: 60, retries: 2, delayMs: 0 };
const signal = new AbortController().signal;

type Answer = (request: IncomingMessage, response: ServerResponse, range: readonly [number, number]) => void;

/** A server of one file; `answer` may do otherwise. Counts its requests. */
async function serve(t: import('tap').Test, answer: Answer, bytes = file) {
  const asked: (readonly [number, number])[] = [];
  const server = createServer((request, response) => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    const range = [Number(from), Math.min(Number(to), bytes.length - 1)] as const;
    asked.push(range);
    answer(request, response, range);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/dir/a.tar?token=secret`, asked };
}

const headers = ([from, to]: readonly [number, number], bytes = file) => ({
  'content-range': `bytes ${from}-${to}/${bytes.length}`,
  'content-length': to - from + 1,
  etag: '"one"',
});
const good: Answer = (_, response, [from, to]) => {
  response.writeHead(206, headers([from, to])).end(file.subarray(from, to + 1));
};

t.test('bytes at any place', async (t) => {
  const { address } = await serve(t, good);
  const web = await openWeb(address, patience);
  t.equal(web.size, file.length);
  t.match(web.name, /^127\.0\.0\.1:\d+\/dir\/a\.tar$/, 'without what may be secret');
  for (const [offset, length] of [
    [0, 10],
    [123_456, 100_000],
    [299_999, 1],
    [5, 0],
  ] as const)
    t.same(await web.read(offset, length), file.subarray(offset, offset + length));
});

t.test('what breaks off is gone on with where it stood', async (t) => {
  let times = 0;
  const { address, asked } = await serve(t, (request, response, range) => {
    const [from, to] = range;
    if (to - from < 100 || ++times > 2) return good(request, response, range);
    response.writeHead(206, headers(range));
    response.write(file.subarray(from, from + 100_000), () => response.destroy());
  });
  const web = await openWeb(address, { ...patience, retries: 0 });
  const bytes = await web.read(10, 280_000).catch((error: Error) => error);
  t.match(bytes, { code: 'WEB_READ' }, 'not where no more tries are wanted');
  times = 0;
  asked.length = 0;
  const again = await openWeb(address, { ...patience, retries: 1 });
  t.same(await again.read(10, 280_000), file.subarray(10, 280_010));
  t.ok(asked.length >= 3, 'several requests');
  t.ok(
    asked.slice(2).every(([from]) => from > 10),
    'nothing is sent twice from its beginning',
  );
});

t.test('failures of the server: tried again, or said at once', async (t) => {
  let failures = 2;
  const { address, asked } = await serve(t, (request, response, range) => {
    if (range[1] > 0 && failures-- > 0) response.writeHead(503).end();
    else good(request, response, range);
  });
  const web = await openWeb(address, patience);
  t.same(await web.read(0, 100), file.subarray(0, 100));
  failures = 99;
  await t.rejects(web.read(0, 100), { code: 'WEB_READ', message: /status 503, 3 times/ });
  asked.length = 0;
  const gone = await serve(t, (_, response) => response.writeHead(404).end());
  await t.rejects(openWeb(gone.address, patience), { code: 'WEB_READ', message: /status 404, 1 time\b/ });
  t.equal(gone.asked.length, 1);
  await t.rejects(openWeb('http://127.0.0.1:1/x', { ...patience, retries: 0 }), { code: 'WEB_READ' });
  await t.rejects(openWeb('file:///etc/passwd', patience), { code: 'WEB_ADDRESS' });
});

t.test('a server that lies: no ranges, another range, more than was asked for, another file', async (t) => {
  const whole = await serve(t, (_, response) => response.writeHead(200, { 'content-length': file.length }).end(file));
  await t.rejects(openWeb(whole.address, patience), { code: 'WEB_RANGE', message: /200/ });
  const unknown = await serve(t, (_, response) => response.writeHead(206, { 'content-range': 'bytes 0-0/*' }).end('x'));
  await t.rejects(openWeb(unknown.address, patience), { code: 'WEB_RANGE' });
  const elsewhere = await serve(t, (request, response, [from, to]) => {
    if (to === 0) good(request, response, [0, 0]);
    else response.writeHead(206, headers([from + 1, to + 1])).end(file.subarray(from, to + 1));
  });
  await t.rejects((await openWeb(elsewhere.address, patience)).read(5, 10), { code: 'WEB_RANGE' });
  const more = await serve(t, (request, response, [from, to]) => {
    if (to === 0) good(request, response, [0, 0]);
    else response.writeHead(206, { 'content-range': `bytes ${from}-${to}/${file.length}` }).end(file);
  });
  await t.rejects((await openWeb(more.address, patience)).read(5, 10), { code: 'WEB_RANGE', message: /more than/ });
  let changed = false;
  const other = await serve(t, (request, response, range) => {
    if (!changed) good(request, response, range);
    else response.writeHead(request.headers['if-range'] === '"one"' ? 200 : 206, { etag: '"two"' }).end(file);
  });
  const web = await openWeb(other.address, patience);
  changed = true;
  await t.rejects(web.read(5, 10), { code: 'WEB_CHANGED' });
});

t.test('a file that becomes another one while it is read', async (t) => {
  for (const [what, status, head] of [
    ['longer', 206, { 'content-range': 'bytes 5-14/300001', etag: '"one"' }],
    ['of another tag', 206, { 'content-range': 'bytes 5-14/300000', etag: '"two"' }],
    [
      'of another time',
      206,
      { 'content-range': 'bytes 5-14/300000', 'last-modified': 'Tue, 02 Jan 2024 00:00:00 GMT' },
    ],
    ['shorter', 416, { 'content-range': 'bytes */3' }],
    ['shorter, without a word', 416, {}],
  ] as const) {
    let changed = false;
    const { address } = await serve(t, (_, response, range) => {
      if (changed) response.writeHead(status, head).end(status === 206 ? 'x'.repeat(10) : '');
      else
        response
          .writeHead(206, { ...headers(range), 'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT' })
          .end(file.subarray(range[0], range[1] + 1));
    });
    const web = await openWeb(address, patience);
    changed = true;
    await t.rejects(web.read(5, 10), { code: 'WEB_CHANGED' }, what);
  }
  const { address } = await serve(t, (_, response, [from, to]) => {
    const head = to === 0 ? headers([from, to]) : { 'content-range': `bytes ${from}-${to}/*` };
    response.writeHead(206, head).end(file.subarray(from, to + 1));
  });
  t.same(await (await openWeb(address, patience)).read(5, 10), file.subarray(5, 15), 'one that does not say again');
});

t.test('what is not read is let go: no connection stays open', async (t) => {
  let open = 0;
  const endless: Answer = (_, response, range) => {
    if (range[1] === 0) return good(_, response, range);
    open++;
    response.on('close', () => open--);
    response.writeHead(range[0] === 5 ? 404 : 206, { 'content-range': `bytes 0-9/${file.length}` });
    response.write('x');
  };
  const { address } = await serve(t, endless);
  const web = await openWeb(address, { ...patience, retries: 0 });
  await t.rejects(web.read(5, 10), { code: 'WEB_READ', message: /404/ });
  await t.rejects(web.read(6, 10), { code: 'WEB_RANGE' });
  while (open > 0) await new Promise((resolve) => setImmediate(resolve));
  t.equal(open, 0);
});

t.test('addresses with a password, and with escapes that are no text', async (t) => {
  const { address } = await serve(t, good);
  const secret = address.replace('http://', 'http://user:hunter2@');
  const refused = await openWeb(secret, patience).catch((error: Error) => error);
  t.match(refused, { code: 'WEB_ADDRESS', message: /with a user or a password, of 127\.0\.0\.1:\d+\/dir\/a\.tar/ });
  t.notMatch((refused as Error).message, /hunter2/);
  const odd = await openWeb(address.replace('/dir/', '/%ff%20/'), patience);
  t.match(odd.name, /\/%ff%20\/a\.tar$/);
  const plain = await openWeb(address.replace('/dir/', '/a%20b/'), patience);
  t.match(plain.name, /\/a b\/a\.tar$/);
});

t.test('a server that says nothing is given up after its time, and a reader that is cancelled at once', async (t) => {
  const silent = await serve(t, (request, response, range) => {
    if (range[1] === 0) good(request, response, range);
  });
  const web = await openWeb(silent.address, { ...patience, timeout: 0.05, retries: 1 });
  await t.rejects(web.read(0, 10), { code: 'WEB_READ', message: /nothing for 0\.05 s, 2 times/ });
  const patient = await openWeb(silent.address, { ...patience, timeout: 600, deadline: 600, retries: 5 });
  const abort = new AbortController();
  const reading = patient.read(0, 10, abort.signal);
  abort.abort(new Error('enough'));
  await t.rejects(reading, { message: 'enough' });
});

t.test('a server that lets bytes trickle is given up, and so is one that always begins anew', async (t) => {
  const trickle = await serve(t, (request, response, range) => {
    if (range[1] === 0) return good(request, response, range);
    response.writeHead(206, headers(range));
    const drip = setInterval(() => response.write('x'), 5);
    response.on('close', () => clearInterval(drip));
  });
  const web = await openWeb(trickle.address, { ...patience, timeout: 0.1, retries: 1 });
  await t.rejects(web.read(0, 100_000), { code: 'WEB_READ', message: /\d+ bytes in 0\.1 s, 2 times/ });
  const endless = await serve(t, (request, response, range) => {
    if (range[1] === 0) return good(request, response, range);
    response.writeHead(503).end();
  });
  const soon = await openWeb(endless.address, { timeout: 5, deadline: 0.2, retries: 100, delayMs: 10 });
  await t.rejects(soon.read(0, 100), { code: 'WEB_READ', message: /no end of it within 0\.2 s/ });
  const silent = await serve(t, (request, response, range) => {
    if (range[1] === 0) good(request, response, range);
  });
  const waiting = await openWeb(silent.address, { timeout: 5, deadline: 0.1, retries: 100 });
  await t.rejects(waiting.read(0, 100), { code: 'WEB_READ', message: /no end of it within 0\.1 s, 1 time\b/ });
});

t.test('a tar behind http is a source like any other', async (t) => {
  const names = Array.from({ length: 30 }, (_, i) => `s${i}`);
  const tar = Buffer.concat([
    ...names.flatMap((name, i) => [
      ...tarFile(`${name}.jpg`, Buffer.alloc(50_000, i)),
      ...tarFile(`${name}.cls`, Buffer.from(`${i}`)),
    ]),
    tarEnd,
  ]);
  const { address, asked } = await serve(
    t,
    (_, response, [from, to]) => {
      response.writeHead(206, headers([from, to], tar)).end(tar.subarray(from, to + 1));
    },
    tar,
  );
  const source = await openSource(webdataset.definition, { path: address, labels: true });
  t.equal(source.count, 30);
  t.equal(source.key(7), 'a.tar/s7');
  t.ok(asked.length < 12, `${asked.length} requests for 60 headers`);
  const sample = (await source.read(7, signal)) as { bytes: Uint8Array; label: number };
  t.same([sample.label, sample.bytes.length, sample.bytes[0]], [7, 50_000, 7]);
});
