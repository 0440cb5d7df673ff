import t from 'tap';
import { countsOn } from '../../scripts/lib/counter.mjs';

function stream(isTTY: boolean) {
  const written: string[] = [];
  return { written, isTTY, write: (text: string) => written.push(text) > 0 };
}

t.test('on a terminal one line is written over as each is done, and is gone at the end', (t) => {
  const terminal = stream(true);
  const counter = countsOn(terminal, () => {
    throw new Error('no lines by the clock');
  })('torch', 2, 'files');
  counter.more();
  counter.more();
  t.same(
    terminal.written,
    [0, 1, 2].map((done) => `\rtorch: ${done} of 2 files\x1b[K`),
  );
  counter.end();
  t.equal(terminal.written.at(-1), '\r\x1b[K');
  t.equal(terminal.written.length, 4);
  t.end();
});

t.test(
  'elsewhere a line every ten seconds says how far it is, also when nothing was done since, until the end',
  (t) => {
    const log = stream(false);
    const clock = { tick: () => {}, milliseconds: 0, stopped: 0 };
    const counter = countsOn(log, (tick, milliseconds) => {
      Object.assign(clock, { tick, milliseconds });
      return () => clock.stopped++;
    })('image', 30, 'files');
    t.equal(clock.milliseconds, 10_000);
    counter.more();
    t.same(log.written, [], 'what takes no ten seconds is silent');
    clock.tick();
    clock.tick();
    counter.more();
    clock.tick();
    t.same(log.written, ['image: 1 of 30 files\n', 'image: 1 of 30 files\n', 'image: 2 of 30 files\n']);
    counter.end();
    t.equal(clock.stopped, 1);
    t.end();
  },
);
