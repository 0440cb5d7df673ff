import t from 'tap';
import { fail, PatchstreamError } from '../../../src/errors.ts';
import { packError, unpackError } from '../../../src/train/worker/protocol.ts';

const cross = (error: unknown) => unpackError(structuredClone(packError(error)));

t.test('an error of the catalogue is one again, with code, place, message, stack and cause', (t) => {
  const cause = new TypeError('the disk is full');
  const error = fail('CHECKPOINT_BROKEN', { found: 'half of it' }, { where: 'runs/a', cause });
  const arrived = cross(error) as PatchstreamError;
  t.ok(arrived instanceof PatchstreamError);
  t.same(
    [arrived.code, arrived.where, arrived.message, arrived.stack],
    [error.code, 'runs/a', error.message, error.stack],
  );
  t.match(arrived.cause, { name: 'TypeError', message: 'the disk is full' });
  t.end();
});

t.test('anything else that was thrown is an error too', (t) => {
  t.match(cross(new RangeError('no')), { name: 'RangeError', message: 'no' });
  t.match(cross('text'), { message: 'text' });
  t.match(cross(undefined), { message: 'undefined' });
  t.notOk(unpackError({ name: 'E', text: 'x', stack: undefined, code: 'toString' }) instanceof PatchstreamError);
  t.end();
});

t.test('causes that lead in a circle cross once each', (t) => {
  const [first, second] = [new Error('first'), new Error('second')];
  first.cause = second;
  second.cause = first;
  t.match(unpackError(packError(first)), { message: 'first', cause: { message: 'second', cause: undefined } });
  t.end();
});
