import t from 'tap';
import { HostMoments, type Moments } from '../../src/backends/moments.ts';
import { PassTimer } from '../../src/train/pass-timer.ts';

/** A host that hands work over in no time, and a device that does it one after another. */
class Device implements Moments {
  /** The host's clock, and when the device will have done all that it was handed. */
  now = 0;
  busyUntil = 0;
  readonly #at: number[] = [];

  /** Hands over so many milliseconds of work. */
  work(milliseconds: number): void {
    this.busyUntil = Math.max(this.now, this.busyUntil) + milliseconds;
  }

  mark(number: number): void {
    this.#at[number] = Math.max(this.now, this.busyUntil);
  }

  between(from: number, to: number): number {
    return this.#at[to]! - this.#at[from]!;
  }

  /** The host reads something back. */
  wait(): void {
    this.now = Math.max(this.now, this.busyUntil);
  }
}

/** One step of passes: what the host waits for each, and what copying and computing it takes. */
function step(device: Device, timer: PassTimer, passes: readonly { wait: number; upload: number; compute: number }[]) {
  for (const { wait, upload, compute } of passes) {
    device.now += wait;
    timer.begin(wait);
    device.work(upload);
    timer.uploaded();
    device.work(compute);
    timer.end();
  }
  timer.rest();
  device.work(3);
  device.wait();
  const times = timer.times();
  device.work(2);
  timer.rest();
  return times;
}

const pass = { wait: 0, upload: 4, compute: 100 };

t.test('on a device, a pass takes what the device takes, however fast it was handed over', (t) => {
  const device = new Device();
  const timer = new PassTimer(() => device);
  for (let i = 0; i < 3; i++) t.same(step(device, timer, [pass, pass]), { waitMs: 0, uploadMs: 8, passMs: 200 });
  t.end();
});

t.test('the host’s waiting for samples counts as far as the device had nothing to do', (t) => {
  const device = new Device();
  const timer = new PassTimer(() => device);
  const waits = (wait: number) => step(device, timer, [pass, { ...pass, wait }]).waitMs;
  t.equal(waits(60), 0, 'the pass before is still computed');
  t.equal(waits(150), 44, 'it was done after 104 ms, and 2 of the update before');
  t.equal(step(device, timer, [{ ...pass, wait: 50 }]).waitMs, 48, 'and between steps, but for the 2 ms of the update');
  t.end();
});

t.test('on the host, every wait counts, and is not longer than there was nothing to do', (t) => {
  let now = 0;
  const timer = new PassTimer(() => new HostMoments(() => now));
  for (const first of [true, false]) {
    now += 7;
    timer.begin(7);
    now += 4;
    timer.uploaded();
    now += 30;
    timer.end();
    now += 5;
    timer.rest();
    t.same(timer.times(), { waitMs: 7, uploadMs: 4, passMs: 30 }, first ? 'the first pass' : 'the next');
  }
  t.end();
});

t.test('passes that are given up are of no step, and any number may be under way', (t) => {
  let now = 0;
  const timer = new PassTimer(() => new HostMoments(() => now));
  const passes = (count: number) => {
    for (let i = 0; i < count; i++) {
      timer.begin(0);
      timer.uploaded();
      now += 1;
      timer.end();
    }
  };
  passes(5);
  timer.forget();
  passes(2500);
  t.equal(timer.times().passMs, 2500);
  t.equal(timer.times().passMs, 0);
  t.end();
});
