import t from 'tap';
import type { RunEvent } from '../../../src/events/events.ts';
import { notice } from '../../../src/events/notices.ts';
import { EventHub } from '../../../src/runs/events/hub.ts';

const said = (text: string) => notice('SOURCE', { text });

t.test('every listener sees all events in one order, what listeners emit themselves included', (t) => {
  const hub = new EventHub();
  const [first, second]: [string[], string[]] = [[], []];
  const text = (event: RunEvent) => (event.type === 'notice' ? String(event.slots.text) : event.type);
  hub.listen((event) => first.push(text(event)));
  hub.on('notice', ({ slots }) => {
    if (slots.text === 'a') hub.notice(said('a, answered'));
    if (slots.text === 'a, answered') hub.notice(said('and again'));
  });
  hub.listen((event) => second.push(text(event)));
  for (const one of ['a', 'b']) hub.notice(said(one));
  t.same(first, ['a', 'a, answered', 'and again', 'b']);
  t.same(second, first);
  t.end();
});

t.test('a listener that throws is heard by who emitted; the events after it come through', (t) => {
  const hub = new EventHub();
  const heard: RunEvent[] = [];
  hub.on('checkpoint', () => {
    throw new Error('mine');
  });
  hub.listen((event) => heard.push(event));
  t.throws(() => hub.emit({ type: 'checkpoint', step: 1, path: 'a' }), /mine/);
  hub.notice(said('next'));
  t.match(heard, [{ type: 'notice' }]);
  t.end();
});

t.test('what stays as it is is told once, whichever part of the run finds it again', (t) => {
  const hub = new EventHub();
  const heard: unknown[] = [];
  hub.on('notice', ({ code, slots }) => heard.push([code, slots.text]));
  for (const code of ['TRAINER', 'EVALUATION'] as const) hub.noticeOnce(notice(code, { text: 'float32 and not tf32' }));
  hub.noticeOnce(notice('EVALUATION', { text: 'other' }));
  t.same(heard, [
    ['TRAINER', 'float32 and not tf32'],
    ['EVALUATION', 'other'],
  ]);
  hub.notice(notice('TRAINER', { text: 'other' }));
  t.equal(heard.length, 3, 'an event that happens again is told again');
  t.end();
});
