import { fail } from '../../errors.ts';
import type { Fields, OpenSource } from '../../sources/source.ts';
import type { Drop } from '../../streams/sample.ts';

/**
 * A source that is read again and again ends the run where two whole passes have brought nothing through: such a run would go on for ever, and do
 * nothing.
 *
 * @param permits how many samples may be on their way. @param out how many of those that are not on their way have come through by now.
 */
export function endingIdlePasses(
  source: OpenSource<Fields | Drop>,
  permits: () => number,
  out: () => number,
): OpenSource<Fields | Drop> {
  let [reads, before] = [0, 0];
  const read: typeof source.read = (...asked) => {
    if (++reads > 2 * source.count + permits()) {
      const now = out();
      if (now === before) {
        const first = 'none came through in two passes over the source';
        throw fail('NOTHING_LEFT', { seen: 2 * source.count, first }, { ends: true });
      }
      [reads, before] = [0, now];
    }
    return source.read(...asked);
  };
  return new Proxy(source, {
    get(target, name) {
      if (name === 'read') return read;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
