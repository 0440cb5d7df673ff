import { median } from '../../src/balance/tune-micro-batch.ts';

/** A setting of a peer, as it gives it itself. */
export type Setting = Readonly<Record<string, string | number | boolean>>;

/** `2 workers, 4 ahead` of { workers: 2, ahead: 4 }. */
export function describeSetting(setting: Setting): string {
  return Object.entries(setting)
    .map(([name, value]) => {
      if (typeof value === 'boolean') return value ? name : `no ${name}`;
      return typeof value === 'number' ? `${value} ${name}` : value;
    })
    .join(', ');
}

/**
 * The fastest of the settings: each is tried once, and the best three once more. One that fails is passed over.
 * @throws the last failure when all fail.
 */
export async function bestSetting<S>(settings: readonly S[], attempt: (setting: S) => Promise<number>): Promise<S> {
  let failure: unknown;
  const tried: { setting: S; ms: number }[] = [];
  for (const setting of settings) {
    try {
      tried.push({ setting, ms: await attempt(setting) });
    } catch (error) {
      failure = error;
    }
  }
  const first = tried.sort((a, b) => a.ms - b.ms)[0];
  if (first === undefined) throw failure ?? new Error('There is no setting to try.');
  if (tried.length === 1) return first.setting;
  const again: { setting: S; ms: number }[] = [];
  for (const { setting, ms } of tried.slice(0, 3)) {
    again.push({ setting, ms: Math.min(ms, await attempt(setting)) });
  }
  return again.sort((a, b) => a.ms - b.ms)[0]!.setting;
}

/** Milliseconds of every side in every round, one turn of each a round. */
export type Rounds = Readonly<Record<string, readonly number[]>>;

/**
 * Has every side take its turn in every round; another side begins each round, and every other round goes backwards, so that none always follows the same one. Ends after `rounds`, or
 * after three when `deadline` (of performance.now) has passed.
 */
export async function takeTurns(
  sides: Readonly<Record<string, () => Promise<number>>>,
  { rounds, deadline }: { readonly rounds: number; readonly deadline: number },
): Promise<Rounds> {
  const names = Object.keys(sides);
  const times: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    if (round >= 3 && performance.now() > deadline) break;
    const order = names.map((_, i) => names[(i + (round >> 1)) % names.length]!);
    if (round % 2 === 1) order.reverse();
    for (const name of order) times[name]!.push(await sides[name]!());
  }
  return times;
}

/** The medians of two sides and of their rounds' ratios, above 1 when the first is faster. */
export function compareRounds(
  ours: readonly number[],
  theirs: readonly number[],
): {
  readonly ours: number;
  readonly theirs: number;
  readonly ratio: number;
  readonly spread: readonly [number, number];
} {
  const ratios = ours.map((ms, round) => theirs[round]! / ms);
  return {
    ours: median(ours),
    theirs: median(theirs),
    ratio: median(ratios),
    spread: [Math.min(...ratios), Math.max(...ratios)],
  };
}
