import t from 'tap';
import type { Machine } from '../../../src/machine.ts';
import { lomar, mae, srmae } from '../../../src/models/index.ts';
import { isTorchBuilt, type TorchAddon } from '../../../src/native.ts';
import { builtin } from '../../../src/pipeline/builtin.ts';
import { soundPipeline } from '../../../src/pipeline/check.ts';
import { definePipeline, pipeline } from '../../../src/runs/loader/define.ts';
import { checkTrainingMemory, isOnHost } from '../../../src/runs/training/training-memory.ts';
import { imageFolder } from '../../../src/sources/index.ts';
import { decode, downsample, mask, randomResizedCrop, windows } from '../../../src/stages/index.ts';

const GiB = 2 ** 30;
const crop = [decode(), randomResizedCrop({ size: 224 })] as const;
const sizes = ['nano', 'tiny', 'small', 'base', 'large'] as const;
type Size = (typeof sizes)[number];

const chains = {
  mae: (size: Size) => ({
    ...pipeline(imageFolder('./photos'), ...crop, mask({ ratio: 0.75, patch: 16 })),
    model: mae({ size }),
  }),
  lomar: (size: Size) => ({
    ...pipeline(imageFolder('./photos'), ...crop, windows({ patch: 16, size: 7, views: 4 }), mask(0.8)),
    model: lomar({ size }),
  }),
  srmae: (size: Size) => ({
    ...pipeline(imageFolder('./photos'), ...crop, downsample(4), mask({ ratio: 0.75, patch: 16 })),
    model: srmae({ size }),
  }),
};

function check(
  name: keyof typeof chains,
  size: Size,
  memory: number,
  { microBatch = 'auto', batch = 256, host = {}, here = true } = {} as {
    microBatch?: number | 'auto';
    batch?: number;
    host?: Partial<Machine>;
    here?: boolean;
  },
): string | undefined {
  const { model, ...chain } = chains[name](size);
  const train = { model, batch, microBatch, steps: 10 };
  const resolved = soundPipeline(
    definePipeline({ ...chain, name: 'memory', threads: 2, train, output: './run' }),
    builtin,
  );
  const container = { whole: { cores: 64, memory: 256 * GiB }, bound: 'container' } as const;
  const machine = { cores: 2, memory, free: memory, ...(memory < 256 * GiB && container), ...host };
  try {
    checkTrainingMemory(resolved.train!, { spec: resolved.spec, cellBytes: 150_784 }, machine, () => here);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

t.test('C1: what cannot fit is refused with how much it needs and what would fit', (t) => {
  t.match(
    check('mae', 'small', 1.5 * GiB, { microBatch: 64 }),
    /this container has 1\.50 GiB; this one takes \d\.\d\d GiB at least: 0\.82 GiB .* \d+ MiB for each sample of a pass, of 64 samples\. Set `microBatch: 8` or less, or `auto`\./,
  );
  t.match(check('mae', 'base', GiB), /takes 1\.8\d GiB at least.* of 1 sample\. Set `size: small` of the model/);
  t.match(check('mae', 'base', GiB, { microBatch: 2 }), /Set `size: small`/, 'no micro-batch would help');
  t.match(check('lomar', 'large', 3 * GiB), /Set `size: base`/);
  t.match(check('lomar', 'nano', GiB / 16), /Give it more memory\./);
  t.match(check('srmae', 'base', GiB, { host: { bound: 'limit' } }), /`ulimit` leaves 1\.00 GiB/);
  t.match(
    check('srmae', 'large', 4 * GiB, { host: { whole: undefined, bound: undefined } as never }),
    /this machine has/,
  );
  t.end();
});

t.test('C1: what fits is not refused', (t) => {
  for (const name of ['lomar', 'mae', 'srmae'] as const) {
    for (const size of ['nano', 'tiny', 'small', 'base'] as const) {
      t.equal(check(name, size, 16 * GiB, { microBatch: 16 }), undefined, `${name} ${size}`);
      t.equal(check(name, size, 3 * GiB), undefined, `${name} ${size}, one sample at a time`);
    }
  }
  // As measured: resident memory of whole trainings at 224 px, libtorch on two cores.
  t.equal(check('mae', 'small', 1.195e9, { microBatch: 2 }), undefined);
  t.equal(check('mae', 'small', 2.632e9, { microBatch: 16 }), undefined);
  t.equal(check('lomar', 'small', 0.813e9, { microBatch: 2 }), undefined);
  t.equal(check('mae', 'base', GiB, { here: false }), undefined, 'a device has memory of its own');
  t.equal(check('mae', 'base', GiB, { host: { swap: 2 * GiB } }), undefined, 'what may be swapped out');
  t.end();
});

t.test(
  'S6: under a limit of the process what libraries reserve counts too, and no library is loaded to be asked',
  (t) => {
    const limit = { host: { bound: 'limit' } } as const;
    if (isTorchBuilt()) t.match(check('mae', 'nano', 290_000 * 1024, limit), /`ulimit` leaves 0\.28 GiB/);
    t.equal(check('mae', 'nano', 600_000 * 1024, limit), undefined);
    const none = { seesDevice: () => false, find: () => t.fail('libtorch was loaded') as never };
    t.ok(isOnHost({ backend: 'torch', device: 'auto' }, { bound: 'limit' }, none));
    t.end();
  },
);

t.test('S6, C1: a limit of the process binds what lies in its memory, and not what lies on a device', (t) => {
  const limit = { host: { bound: 'limit' }, here: false } as const;
  t.equal(check('mae', 'base', GiB, limit), undefined);
  const two = { seesDevice: () => true, find: () => ({ info: () => ({ cudaDevices: 2 }) }) as unknown as TorchAddon };
  for (const device of ['auto', 'cuda', 'cuda:1'])
    t.notOk(isOnHost({ backend: 'torch', device }, { bound: 'limit' }, two), device);
  t.ok(isOnHost({ backend: 'torch', device: 'cpu' }, { bound: 'limit' }, two));
  t.end();
});
