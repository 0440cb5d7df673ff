import { Observable, type OperatorFunction } from 'rxjs';
import { feed } from '../feed.ts';
import type { Carried, Permits } from '../permits.ts';

/**
 * Brings samples back into the order of their positions, the parts of a sample in the order of their numbers. A position is passed
 * over when its permit has returned: its sample failed or was dropped. Keeps no more samples than there are permits. It has to be
 * subscribed before the source begins, or it would not know of what was dropped until then.
 */
export function inOrder(permits: Permits, start = 0): OperatorFunction<Carried, Carried> {
  return (source) =>
    new Observable((subscriber) => {
      let next = start;
      const arrived = new Map<number, Carried[]>();
      const gone = new Set<number>();
      let busy = false;

      const send = (here: Carried[]) => {
        for (const carried of here.sort(byPart)) {
          if (subscriber.closed) carried.permit.return();
          else subscriber.next(carried);
        }
      };

      const advance = () => {
        if (busy) return;
        busy = true;
        while (!subscriber.closed) {
          const here = arrived.get(next);
          if (here !== undefined && here.length === here[0]!.permit.shares) {
            arrived.delete(next++);
            send(here);
          } else if (here === undefined && gone.delete(next)) {
            next++;
          } else {
            break;
          }
        }
        busy = false;
      };

      subscriber.add(
        permits.onShare((permit) => {
          if (permit.position < next) return;
          if (permit.shares === 0) gone.add(permit.position);
          if (permit.position === next) advance();
        }),
      );
      feed(source, subscriber, {
        next(carried) {
          const { position, shares } = carried.permit;
          // The next in order, and whole, as most are: nothing has to wait.
          if (position === next && shares === 1 && !busy && arrived.size === 0) {
            next++;
            busy = true;
            subscriber.next(carried);
            busy = false;
            advance();
            return;
          }
          const here = arrived.get(position);
          if (here === undefined) arrived.set(position, [carried]);
          else here.push(carried);
          if (position === next) advance();
        },
        complete: () => {
          advance();
          // An operator may complete early, such as take(n): what is missing before the samples that wait here will not come any more.
          for (const position of [...arrived.keys()].sort((a, b) => a - b)) {
            const here = arrived.get(position)!;
            arrived.delete(position);
            send(here);
          }
          subscriber.complete();
        },
      });

      return () => {
        for (const here of arrived.values()) for (const { permit } of here) permit.return();
        arrived.clear();
      };
    });
}

function byPart({ part: a }: Carried, { part: b }: Carried): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}
