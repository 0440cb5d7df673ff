import t from 'tap';
import { endingIdlePasses } from '../../../src/runs/loader/passes.ts';

t.test('L13: two passes that bring nothing through end the run; as long as something comes it goes on', (t) => {
  class Numbers {
    readonly count = 5;
    #reads = 0;
    key(index: number) {
      return String(index);
    }
    read(index: number) {
      this.#reads++;
      return { index };
    }
    get reads() {
      return this.#reads;
    }
  }
  const source = new Numbers();
  const signal = new AbortController().signal;
  let out = 0;
  const read = endingIdlePasses(
    source,
    () => 3,
    () => out,
  );
  t.equal(read.count, 5);
  t.equal(read.key(2), '2');
  for (let i = 0; i < 100; i++) {
    if (i % 12 === 0) out++;
    read.read(i % 5, signal);
  }
  const idle = () => {
    for (let i = 0; i < 40; i++) read.read(i % 5, signal);
  };
  t.throws(idle, { code: 'NOTHING_LEFT', ends: true, message: /two passes/ });
  t.ok(source.reads < 130);
  t.end();
});
