import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { IndexWriter } from '../../../src/formats/shard/index-frame.ts';
import { type Entry, type Form, RollingFiles } from '../../../src/sinks/durable/rotating-files.ts';
import type { Job } from '../../../src/sinks/sink.ts';

const job: Job = {
  recipe: { digest: 'one', job: 'one', pipeline: {} },
  from: 0,
  to: 100,
  source: { count: 100, keys: 'all' },
  fresh: false,
  versions: {},
};

/** A file that takes three samples. */
class Three implements Form<Entry> {
  #entries = 0;
  head = () => [];
  tail = () => [];

  entry({ position }: Entry): readonly Uint8Array[] {
    this.#entries++;
    return [Buffer.from(`${position}\n`)];
  }

  isFull(): boolean {
    return this.#entries === 3;
  }
}

t.test(
  'a file that can take no more is closed, however small it is; the parts of a sample are never divided',
  async (t) => {
    const folder = t.testdir({});
    const files = await RollingFiles.open<Entry>({
      folder: join(folder, 'files'),
      output: folder,
      stem: 'job',
      ending: '.x',
      limit: 10 ** 6,
      job,
      form: () => new Three(),
    });
    for (const position of [0, 1, 2, 3, 4]) await files.add({ position, bytes: 2 });
    for (let part = 0; part < 3; part++) await files.add({ position: 5, bytes: 2 }).catch(() => undefined);
    await t.rejects(files.add({ position: 5, bytes: 2 }), { code: 'SINK_SAMPLE', message: /position 5/ });
    await files.close(false);
    t.same(
      readdirSync(join(folder, 'files')).sort(),
      ['job-00000.x'],
      'what was finished stays, and what was half-written goes',
    );
  },
);

t.test('the index of a shard knows how many records it has room for', (t) => {
  const index = new IndexWriter(3 * 16 + 3 * 4 + 5);
  let offset = 100;
  for (const key of ['k/00', 'k/01', 'ü/2']) {
    t.ok(index.hasRoomFor(key), key);
    index.add(key, offset, 50);
    offset += 50;
  }
  t.notOk(index.hasRoomFor(''), 'a row takes 16 bytes');
  t.ok(new IndexWriter().hasRoomFor('any'));
  const many = new IndexWriter();
  for (let i = 0; i < 10_000; i++) many.add(`folder/${i}`, 2 ** 40 + i, 7);
  const [head, rows, keys] = many.encode(10_000);
  t.equal(rows!.length, 160_000);
  t.match(Buffer.from(keys!).toString(), /folder\/9998folder\/9999$/);
  t.equal(Buffer.from(rows!).readBigUInt64LE(16 * 9999), BigInt(2 ** 40 + 9999));
  t.ok(head!.length > 16);
  t.end();
});
