import fc from 'fast-check';
import t from 'tap';
import { z } from 'zod';
import type { Finished, RunEvent, Started } from '../../src/events/events.ts';
import { type Notice, noticeText } from '../../src/events/notices.ts';
import { defineTracker, type Tracker } from '../../src/trackers/define.ts';
import { Trackers } from '../../src/trackers/feed.ts';

const started: Started = {
  type: 'started',
  kind: 'job',
  name: 'job',
  digest: 'd',
  folder: '/run',
  pipeline: {},
  machine: { cores: 2, memory: 2 ** 30 },
};
const finished: Finished = { type: 'finished', how: 'completed', stats: [] };
const failure = (position: number): RunEvent => ({
  ...{ type: 'failure', stage: 'decode', key: String(position), position, epoch: 0, error: 'broken' },
});

/** Time that passes when the test says so. */
class TestClock {
  #now = 0;
  #timers = new Set<{ readonly due: number; readonly ring: () => void }>();
  now = () => this.#now;
  timer = (milliseconds: number, ring: () => void) => {
    const timer = { due: this.#now + milliseconds, ring };
    this.#timers.add(timer);
    return { clear: () => void this.#timers.delete(timer), refresh: () => {} };
  };
  get timers() {
    return this.#timers.size;
  }
  /** Time passes in which the thread works: no timer rings. */
  work(milliseconds: number) {
    this.#now += milliseconds;
  }
  async pass(milliseconds: number) {
    this.#now += milliseconds;
    for (const timer of this.#timers) {
      if (timer.due > this.#now) continue;
      this.#timers.delete(timer);
      timer.ring();
    }
    await turn();
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Feeds one tracker. */
function feeding(open: () => Tracker | Promise<Tracker>) {
  const clock = new TestClock();
  const notices: Notice[] = [];
  const { tracker } = defineTracker({ name: 'mine', summary: '', options: z.unknown(), open })();
  const notice = (one: Notice) => notices.push(one);
  const trackers = new Trackers([tracker], { folder: '/run', base: '/', notice, clock });
  return { clock, trackers, texts: () => notices.map(noticeText), codes: () => notices.map(({ code }) => code) };
}

t.test('events come one by one and in their order, whatever time a tracker takes for each', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(3), { maxLength: 40 }), async (turns) => {
      const heard: string[] = [];
      let inside = 0;
      const { trackers, codes } = feeding(async () => {
        await turn();
        return {
          event: async (event) => {
            t.equal(++inside, 1, 'one at a time');
            const count = event.type === 'failure' ? turns[event.position]! : 0;
            for (let i = 0; i < count; i++) await turn();
            inside--;
            heard.push(event.type === 'failure' ? event.key : event.type);
          },
          close: () => void heard.push('close'),
        };
      });
      for (const [i, before] of turns.entries()) {
        if (i === 2) trackers.hear(started);
        trackers.hear(failure(i));
        if (before === 3) await turn();
      }
      if (turns.length < 3) trackers.hear(started);
      await trackers.end(finished);
      const keys = turns.map((_, i) => String(i));
      keys.splice(Math.min(2, keys.length), 0, 'started');
      t.same(heard, [...keys, 'finished', 'close']);
      t.same(codes(), []);
    }),
    { numRuns: 30 },
  );
});

t.test('a run that never begins opens no tracker', async (t) => {
  const { trackers, codes } = feeding(() => t.fail('opened') as never);
  trackers.hear(failure(1));
  await trackers.end(finished);
  t.same(codes(), []);
});

t.test('one that throws or rejects is one notice, is closed, and hears nothing more', async (t) => {
  const wrong = new Error('mine\nwith a stack');
  const ways: Readonly<Record<string, () => Tracker | Promise<Tracker>>> = {
    'open throws': () => {
      throw wrong;
    },
    'open rejects': () => Promise.reject(wrong),
    'event throws': () => ({
      event: () => {
        throw wrong;
      },
    }),
    'event rejects': () => ({ event: () => Promise.reject(wrong) }),
    'close throws': () => ({
      event: () => {},
      close: () => {
        throw wrong;
      },
    }),
    'close rejects': () => ({ event: () => {}, close: () => Promise.reject(wrong) }),
    'nothing is opened': () => undefined as never,
  };
  for (const [name, open] of Object.entries(ways)) {
    let heard = 0;
    let closed = 0;
    const counted = async () => {
      const inner = await open();
      return {
        event: (event: RunEvent) => {
          heard++;
          return inner.event(event);
        },
        close: () => {
          closed++;
          return inner.close?.();
        },
      };
    };
    const { trackers, codes, texts, clock } = feeding(counted);
    trackers.hear(started);
    for (let i = 0; i < 5; i++) {
      trackers.hear(failure(i));
      await turn();
    }
    await trackers.end(finished);
    await turn();
    t.same(codes(), ['TRACKER_FAILED'], name);
    t.notMatch(texts()[0], /\n/);
    const [hook] = name.split(' ');
    if (hook !== 'nothing') t.match(texts()[0], new RegExp(`tracker mine must .* its \`${hook}\` .*got: .*mine`), name);
    t.equal(clock.timers, 0, `${name}: no timer stays`);
    if (name.startsWith('event')) t.same([heard, closed], [1, 1], name);
    if (name.startsWith('close')) t.same([heard, closed], [7, 1], name);
  }
});

t.test('one that does not answer is one notice, whenever it is; nobody waits for it', async (t) => {
  const never = () => new Promise<never>(() => {});
  const { trackers, clock, texts } = feeding(() => ({ event: never }));
  trackers.hear(started);
  await turn();
  await clock.pass(29_000);
  t.same(texts(), []);
  await clock.pass(1000);
  t.match(texts(), [/^The tracker mine does not answer for 30 seconds \(started\) and is left out/]);
  trackers.hear(failure(1));
  await trackers.end(finished);
  t.equal(texts().length, 1);
  t.equal(clock.timers, 0);

  for (const [doing, tracker] of Object.entries({
    open: never,
    finished: () => ({ event: (event: RunEvent) => (event.type === 'finished' ? never() : undefined) }),
    close: () => ({ event: () => {}, close: never }),
  })) {
    const other = feeding(tracker);
    other.trackers.hear(started);
    await turn();
    const ended = other.trackers.end(finished);
    await turn();
    await other.clock.pass(5000);
    await ended;
    t.same(other.texts(), [
      `The tracker mine does not answer for 5 seconds (${doing}) and is left out from here on; the run continues.`,
    ]);
    t.equal(other.clock.timers, 0, 'the process may end');
  }
});

t.test('one that opens when it was left out already is closed', async (t) => {
  let opened = (_: Tracker) => {};
  let closed = 0;
  const { trackers, clock, codes } = feeding(
    () =>
      new Promise((resolve) => {
        opened = resolve;
      }),
  );
  trackers.hear(started);
  await turn();
  await clock.pass(30_000);
  t.same(codes(), ['TRACKER_BLOCKED']);
  opened({ event: () => void t.fail('an event'), close: () => void closed++ });
  await turn();
  t.equal(closed, 1);
  await trackers.end(finished);
  t.same([closed, clock.timers], [1, 0]);
});

t.test('nothing comes after finished, not even what is said because of it', async (t) => {
  const heard: string[] = [];
  const { trackers } = feeding(() => ({
    event: async ({ type }) => {
      heard.push(type);
      if (type === 'finished') trackers.hear(failure(1));
      await turn();
    },
    close: () => void heard.push('close'),
  }));
  trackers.hear(started);
  trackers.hear(failure(0));
  const ended = trackers.end(finished);
  trackers.hear({ type: 'notice', code: 'TRACKER', slots: { tracker: 'other', text: 'is gone' } });
  await ended;
  t.same(heard, ['started', 'failure', 'finished', 'close']);
});

t.test('one that keeps the thread busy is left out', async (t) => {
  const { trackers, clock, codes } = feeding(() => ({ event: () => clock.work(400) }));
  trackers.hear(started);
  for (let i = 0; i < 10; i++) trackers.hear(failure(i));
  await turn();
  t.same(codes(), ['TRACKER_SLOW']);
  const calm = feeding(() => ({ event: () => calm.clock.work(400) }));
  calm.trackers.hear(started);
  for (let i = 0; i < 10; i++) {
    await turn();
    await calm.clock.pass(20_000);
    calm.trackers.hear(failure(i));
  }
  await calm.trackers.end(finished);
  t.same(calm.codes(), [], 'a twentieth of the time is its own');
});

t.test('what waits is bounded; what is dropped is counted and said', async (t) => {
  let go = () => {};
  let heard = 0;
  const { trackers, texts } = feeding(() => ({
    event: () => {
      heard++;
      return heard === 1 ? new Promise<void>((resolve) => (go = resolve)) : undefined;
    },
  }));
  trackers.hear(started);
  await turn();
  for (let i = 0; i < 10_700; i++) trackers.hear(failure(i));
  go();
  await trackers.end(finished);
  t.equal(heard, 1 + 10_000 + 1, 'the last event is always given');
  t.same(texts(), ['The tracker mine is slower than the run: 700 events were not given to it.']);
});

t.test('a tracker opens, hears and closes at once or with promises; one that cannot hear is left out', async (t) => {
  let heard = 0;
  const atOnce = { event: () => void heard++, close: () => {} };
  for (const open of [
    () => atOnce,
    async () => ({ ...atOnce, close: async () => {} }),
    () => ({ event: atOnce.event }),
  ]) {
    const { trackers, codes } = feeding(open);
    trackers.hear(started);
    await turn();
    await trackers.end(finished);
    t.same(codes(), []);
  }
  t.equal(heard, 6);
  let closed = 0;
  const close = () => void closed++;
  for (const [given, found] of [
    [undefined, /TRACKER_OPEN: .*`event`; got undefined/],
    [{}, /got an object without it/],
    [{ close }, /got an object without it/],
    [{ event: 3, close: () => Promise.reject(close()) }, /got an object without it/],
    [{ close: 3 }, /got an object without it/],
    [() => 'its text is not shown', /got a function\. Look/],
  ] as const) {
    const { trackers, texts } = feeding(() => given as never);
    trackers.hear(started);
    await turn();
    await trackers.end(finished);
    t.match(texts(), [found]);
  }
  t.equal(closed, 2, 'what it has open is closed');
  const slow = feeding(() => {
    slow.clock.work(2000);
    return { close } as never;
  });
  slow.trackers.hear(started);
  await turn();
  await slow.trackers.end(finished);
  t.same([slow.codes(), closed], [['TRACKER_SLOW'], 3], 'also of one that was left out as it opened');
});
