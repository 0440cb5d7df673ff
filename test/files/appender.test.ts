import fc from 'fast-check';
import t from 'tap';
import { Appender } from '../../src/files/appender.ts';

/** Writes that end when they are told to. */
function slowFile() {
  const written: string[] = [];
  const ends: ((error?: Error) => void)[] = [];
  const write = (text: string) =>
    new Promise<void>((resolve, reject) => {
      ends.push((error) => {
        if (error) return reject(error);
        written.push(text);
        resolve();
      });
    });
  return { written, ends, appender: new Appender(write) };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

t.test('what comes while a write is under way goes with the next, in order', async (t) => {
  const { written, ends, appender } = slowFile();
  const all = [appender.add('a')];
  await turn();
  all.push(appender.add('b'), appender.add('c'));
  t.equal(appender.waiting, 2);
  ends[0]!();
  await turn();
  ends[1]!();
  await Promise.all(all);
  t.same(written, ['a', 'bc']);
  t.equal(appender.waiting, 0);
});

t.test('a write that fails fails for all that went with it, and for nothing behind it', async (t) => {
  const { written, ends, appender } = slowFile();
  const [a, b] = [appender.add('a'), appender.add('b')];
  const failures = Promise.all([t.rejects(a, /full/), t.rejects(b, /full/)]);
  await turn();
  const c = appender.add('c');
  ends[0]!(new Error('full'));
  await failures;
  ends[1]!();
  await c;
  t.same(written, ['c']);
  await appender.ended();
});

t.test('nothing is lost, doubled or out of order, whenever writes end', (t) =>
  fc
    .assert(
      fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 60 }), async (steps) => {
        const { written, ends, appender } = slowFile();
        const added: Promise<void>[] = [];
        for (const adds of steps) {
          if (adds) added.push(appender.add(`${added.length};`));
          else ends.shift()?.();
          await Promise.resolve();
        }
        for (let open = true; open; ) {
          await turn();
          open = ends.length > 0;
          ends.shift()?.();
        }
        await Promise.all(added);
        if (written.join('') !== added.map((_, i) => `${i};`).join('')) throw new Error(written.join('|'));
      }),
    )
    .then(() => t.end()),
);
