import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import type { PatchstreamError } from '../../src/errors.ts';
import { noticeText } from '../../src/events/notices.ts';
import { defineSink, type OpenSink } from '../../src/sinks/sink.ts';
import { runNumbered } from '../kit/runs/jobs.ts';

/** A sink of a user's own that gives what it likes. */
const own = (open: () => unknown) =>
  defineSink({
    name: 'own',
    summary: 'Anything.',
    options: z.strictObject({}),
    open: () => open() as OpenSink,
  })();

t.test('a sink works at once or with promises, and says what it has made or nothing', async (t) => {
  const root = t.testdir({});
  const keys: unknown[] = [];
  const committed = Array.from({ length: 7 }, (_, i) => `n/${i}.png`);
  const atOnce = {
    write: ({ key }: { key: string }) => key,
    commit: (key: unknown) => void keys.push(key),
    close: () => {},
  };
  const later = {
    write: async ({ key }: { key: string }) => key,
    commit: async (key: unknown) => void keys.push(key),
    close: async () => {},
  };
  const thenable = {
    ...atOnce,
    // biome-ignore lint/suspicious/noThenProperty: promises of another library.
    write: ({ key }: { key: string }) => ({ then: (done: (key: string) => void) => done(key) }),
  };
  class Own {
    #said = 'from a class';
    write = atOnce.write;
    commit(key: unknown) {
      keys.push(key);
    }
    close() {
      return { lines: [this.#said] };
    }
  }
  for (const [i, [sink, lines, files]] of (
    [
      [atOnce, [], []],
      [later, [], []],
      [thenable, [], []],
      [new Own(), ['from a class'], []],
      [{ ...atOnce, close: () => ({ files: ['a'] }) }, [], ['a']],
      [{ ...later, close: async () => ({ lines: ['done'], files: ['a'] }) }, ['done'], ['a']],
    ] as const
  ).entries()) {
    for (const open of [() => sink, async () => sink]) {
      keys.length = 0;
      const told = await runNumbered(join(root, `${i}-${open.name}`), own(open), { count: 7, fresh: true });
      t.same([told.lines, told.files], [lines, files]);
      t.same(keys, committed);
    }
  }
});

t.test('one that cannot work is an error when it is opened, and closed where it can be', async (t) => {
  const root = t.testdir({});
  let closed = 0;
  const close = () => void closed++;
  const faults: readonly (readonly [given: unknown, found: RegExp])[] = [
    [undefined, /own gave undefined/],
    [null, /own gave null/],
    ['files', /own gave files/],
    [{ close }, /own gave an object without write, commit\. Look at its `open`/],
    [{ write: () => 1, commit: () => {} }, /an object without close/],
    [{ write: () => 1, commit: 'no', close }, /an object without commit/],
    [function openLater() {}, /own gave the function openLater\. Look/],
    [() => ({ commit: 'its text is not shown' }), /own gave a function\. Look/],
    [class Files {}, /own gave the class Files\. Look/],
    [
      { close: () => Promise.reject(new Error('broken')) },
      /an object without write, commit, .*`close` threw: broken\. L/,
    ],
  ];
  for (const [i, [given, message]] of faults.entries())
    await t.rejects(
      runNumbered(
        join(root, `${i}`),
        own(() => given),
      ),
      { code: 'SINK_OPEN', message },
    );
  t.equal(closed, 2);
});

t.test('what it throws, at once or later, is its sample’s failure, and of `close` the run’s', async (t) => {
  const root = t.testdir({});
  const broken = () => {
    throw new Error('broken');
  };
  const sink = { write: ({ position }: { position: number }) => (position === 2 ? broken() : 1), commit: () => {} };
  const told = await runNumbered(
    join(root, 'a'),
    own(() => ({ ...sink, close: () => {} })),
    { count: 5 },
  );
  t.match(told.sum, { delivered: 4, failed: 1 });
  await t.rejects(
    runNumbered(
      join(root, 'b'),
      own(() => ({ ...sink, close: broken })),
      { count: 5 },
    ),
    /broken/,
  );
});

t.test('an error that has ended the run is told, whatever `close` throws thereafter', async (t) => {
  const root = t.testdir({});
  const broken = (found: string) => () => {
    throw new Error(found);
  };
  const notices: string[] = [];
  const running = runNumbered(
    join(root, 'a'),
    own(() => ({ write: () => 1, commit: broken('no room'), close: broken('not open') })),
    { count: 5, onEvent: (event) => event.type === 'notice' && notices.push(noticeText(event)) },
  );
  const message =
    'STAGE_BROKEN: sink own must get through its `commit` without an error; got: no room. Look at `commit` of its definition.';
  const error: PatchstreamError = await running.then(
    () => t.fail('has run'),
    (error) => error,
  );
  t.equal(error.message, message);
  t.match(error.cause, { message: 'no room', cause: { code: 'STAGE_BROKEN', message: /its `close` .*: not open/ } });
  t.match(notices, [/^The sink could not be closed after the error .*: STAGE_BROKEN: .*not open/]);
});
