import t from 'tap';
import type { PatchstreamError } from '../src/errors.ts';
import { called, closeBehind, withCauses } from '../src/own-code.ts';

const throwing = (error: unknown) => async () => {
  throw error;
};

t.test('what `close` throws is the last cause of what has ended the work', async (t) => {
  const cause = new Error('disk');
  const error = new Error('sample', { cause });
  const late = new Error('late');
  t.same(await closeBehind({ error }, throwing(late)), { error: late });
  t.same(withCauses(error), [error, cause, late]);
  await t.rejects(closeBehind(undefined, throwing(late)), late, 'where nothing was thrown before');
  t.equal(await closeBehind({ error }, () => 1), undefined);
});

t.test('the failure that `close` throws again is told once, and no cause leads back to its error', async (t) => {
  const failure = new Error('the disk is full');
  const again = (hook: string) => {
    try {
      called('sink own', hook, () => {
        throw failure;
      });
    } catch (error) {
      return error as PatchstreamError;
    }
    throw new Error('It threw nothing.');
  };
  for (const error of [failure, again('commit'), new Error('around it', { cause: failure })])
    for (const thrown of [failure, again('close'), error]) {
      t.equal(await closeBehind({ error }, throwing(thrown)), undefined);
      t.equal(withCauses(error).at(-1), failure);
      t.equal(failure.cause, undefined);
    }
});

t.test('an error that takes no cause stays what is told', async (t) => {
  const late = new Error('late');
  for (const error of [Object.freeze(new Error('frozen')), new Error('text', { cause: 'text' }), 'text', undefined])
    t.same(await closeBehind({ error }, throwing(late)), { error: late });
});

t.test('causes that lead in a circle are each named once', (t) => {
  const [first, second] = [new Error('first'), new Error('second')];
  first.cause = second;
  second.cause = first;
  t.same(withCauses(first), [first, second]);
  t.end();
});
