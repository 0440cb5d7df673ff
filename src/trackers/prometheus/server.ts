import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fail, messageOf } from '../../errors.ts';
import type { TrackedRun, Tracker } from '../define.ts';
import { RunMetrics } from './metrics.ts';

/** Only this machine may ask: a run has no passwords. */
const host = '127.0.0.1';

/** Serves a run's metrics until it has ended. The server keeps no process alive. @throws PORT_TAKEN */
export async function serveMetrics(
  port: number,
  { started, say }: Pick<TrackedRun, 'started' | 'say'>,
): Promise<Tracker> {
  const metrics = new RunMetrics(started);
  const server = createServer((request, response) => {
    answer(metrics, request, response).catch((error: unknown) => {
      response.writeHead(500).end(`${messageOf(error)}\n`);
    });
  });
  await listen(server, port);
  // As when no descriptor is left for a connection: the next may have one.
  server.on('error', (error) => say(`a connection has failed: ${messageOf(error)}`));
  server.unref();
  say(`http://${host}:${(server.address() as AddressInfo).port}/metrics`);
  return {
    event: (event) => metrics.hear(event),
    close: () => closed(server),
  };
}

async function answer(
  metrics: Pick<RunMetrics, 'page'>,
  { method, url }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!['GET', 'HEAD'].includes(method ?? '') || !['/', '/metrics'].includes((url ?? '').split('?', 1)[0]!)) {
    response.writeHead(404).end('See /metrics\n');
    return;
  }
  const { type, text } = await metrics.page();
  response.writeHead(200, { 'content-type': type }).end(method === 'HEAD' ? undefined : text);
}

async function listen(server: Server, port: number): Promise<void> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw fail('PORT_TAKEN', { port, host, found: messageOf(cause) }, { cause });
  }
}

/** Ends connections that a scraper keeps open, too. */
async function closed(server: Server): Promise<void> {
  const end = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await end;
}
