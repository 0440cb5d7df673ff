import t from 'tap';
import { leftToOthers } from '../../../src/backends/moments.ts';
import { loadingBytes } from '../../../src/runs/loader/loading-memory.ts';
import { rawPicture } from '../../../src/vision/picture.ts';
import { gradient, jpeg } from '../../kit/pictures/pictures.ts';

const MiB = 2 ** 20;
const { signal } = new AbortController();
const capacity = { permits: 32, mostPermits: 32, threads: 8 };
const container = { cores: 8, memory: 1024 * MiB, free: 0, whole: { cores: 64, memory: 65_536 * MiB } };

t.test('C1: what the loader may take follows from its threads, its permits and the size of photos', async (t) => {
  const photo = await jpeg(gradient(640, 480));
  const small = await jpeg(gradient(16, 16));
  const source = {
    count: 1000,
    read: (index: number) => {
      if (index === 250) throw new Error('broken');
      return { bytes: index === 500 ? photo : small };
    },
  };
  t.equal(await loadingBytes(source, capacity, signal, container), 32 * photo.length + 8 * 3 * 640 * 480);
  t.equal(await loadingBytes(source, capacity, signal, { ...container, memory: 65_536 * MiB }), undefined, 'no limit');
  const picture = rawPicture({ data: new Uint8Array(32 * 32 * 3), width: 32, height: 32, channels: 3 });
  const raw = { count: Number.POSITIVE_INFINITY, read: () => ({ picture }) };
  t.equal(await loadingBytes(raw, capacity, signal, container), 8 * 3 * 32 * 32);
});

t.test('C1: of what is left the loader gets what it needs, up to half', (t) => {
  t.equal(leftToOthers(2048 * MiB, 0), 200 * MiB, 'as a rule');
  t.equal(leftToOthers(400 * MiB, 0), 100 * MiB, 'where little is left');
  t.equal(leftToOthers(4096 * MiB, 1200 * MiB), 1300 * MiB, 'large photos on many cores');
  t.equal(leftToOthers(2048 * MiB, 1200 * MiB), 1024 * MiB);
  t.end();
});
