/**
 * What the suites of test/backends call of tap, and no more: in the archive this stands in the place of the package, which is as large as the archive may be.
 * Tests run one after another, in the order in which they were named.
 */
import assert from 'node:assert';

type Body = (t: Check) => unknown;
type Options = { readonly skip?: string | boolean };

/** What was counted. */
export interface Totals {
  passed: number;
  failed: number;
  skipped: number;
  /** The first of those that failed, with what is wrong. */
  failures: string[];
}

const mostFailures = 8;

/** A test, and the checks in it. */
export class Check {
  readonly #name: string;
  readonly #totals: Totals;
  /** The tests below this one, in their order. */
  #tests: Promise<unknown> = Promise.resolve();
  #ended: () => void = () => {};
  readonly #end = new Promise<void>((resolve) => {
    this.#ended = resolve;
  });

  constructor(name: string, totals: Totals) {
    this.#name = name;
    this.#totals = totals;
  }

  test(name: string, ...rest: [Body] | [Options, Body]): Promise<void> {
    const [options, body] = rest.length === 1 ? [{}, rest[0]] : rest;
    const run = this.#tests.then(() => this.#run([this.#name, name].filter(Boolean).join(' > '), options, body));
    this.#tests = run;
    return run;
  }

  before(body: () => unknown): void {
    this.#tests = this.#tests.then(() => this.#guarded(body));
  }

  /** All tests that were named have run. */
  async idle(): Promise<void> {
    let seen: Promise<unknown> | undefined;
    while (seen !== this.#tests) {
      seen = this.#tests;
      await seen;
    }
  }

  async #run(name: string, { skip = false }: Options, body: Body): Promise<void> {
    if (skip !== false) {
      this.#totals.skipped++;
      return;
    }
    const t = new Check(name, this.#totals);
    await t.#guarded(async () => {
      const result = body(t);
      // A test that returns no promise says itself when it has ended.
      await (result instanceof Promise ? result : t.#end);
      await t.idle();
    });
  }

  async #guarded(work: () => unknown): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#count('threw', () => {
        throw error;
      });
    }
  }

  #count(message: string, check: () => void): boolean {
    try {
      check();
      this.#totals.passed++;
      return true;
    } catch (error) {
      this.#totals.failed++;
      const found = error instanceof Error ? error.message : String(error);
      const text = `${this.#name}: ${message}: ${found.replace(/\s+/g, ' ').slice(0, 200)}`;
      if (this.#totals.failures.length < mostFailures) this.#totals.failures.push(text);
      return false;
    }
  }

  end(): void {
    this.#ended();
  }

  setTimeout(): void {}
  comment(): void {}

  pass(message = 'pass'): boolean {
    return this.#count(message, () => {});
  }

  fail(message = 'fail'): boolean {
    return this.#count(message, () => assert.fail(message));
  }

  ok(value: unknown, message = 'ok'): boolean {
    return this.#count(message, () => assert(value, `${value} is not true`));
  }

  notOk(value: unknown, message = 'notOk'): boolean {
    return this.#count(message, () => assert(!value, `${value} is true`));
  }

  equal(found: unknown, wanted: unknown, message = 'equal'): boolean {
    return this.#count(message, () => assert(Object.is(found, wanted), `${found} for ${wanted}`));
  }

  not(found: unknown, unwanted: unknown, message = 'not'): boolean {
    return this.#count(message, () => assert(!Object.is(found, unwanted), `${found}`));
  }

  same(found: unknown, wanted: unknown, message = 'same'): boolean {
    return this.#count(message, () => assert.deepEqual(found, wanted));
  }

  match(found: unknown, wanted: unknown, message = 'match'): boolean {
    return this.#count(message, () =>
      assert(matches(found, wanted), `${String(found)} does not match ${String(wanted)}`),
    );
  }

  throws(body: () => unknown, ...rest: unknown[]): boolean {
    const [wanted, message] = wishes(rest);
    return this.#count(message, () => {
      let thrown: unknown;
      try {
        body();
      } catch (error) {
        thrown = error ?? new Error('nothing');
      }
      assert(thrown !== undefined, 'nothing was thrown');
      assert(wanted === undefined || matches(thrown, wanted), `it threw ${String(thrown)}`);
    });
  }

  async rejects(body: Promise<unknown> | (() => Promise<unknown>), ...rest: unknown[]): Promise<boolean> {
    const outcome = await Promise.resolve()
      .then(() => (typeof body === 'function' ? body() : body))
      .then(
        () => ({ error: undefined }),
        (error: unknown) => ({ error }),
      );
    return this.throws(
      () => {
        if (outcome.error !== undefined) throw outcome.error;
      },
      ...rest,
    );
  }
}

function wishes(rest: readonly unknown[]): [unknown, string] {
  return typeof rest[0] === 'string'
    ? [undefined, rest[0]]
    : [rest[0], typeof rest[1] === 'string' ? rest[1] : 'throws'];
}

/** A pattern matches text, an object what has matching parts, a class its instances, all else what is the same. */
function matches(found: unknown, wanted: unknown): boolean {
  if (wanted instanceof RegExp) return wanted.test(found instanceof Error ? found.message : String(found));
  if (typeof wanted === 'function') return found instanceof wanted;
  if (typeof wanted === 'string' && typeof found === 'string') return found.includes(wanted);
  if (typeof wanted === 'object' && wanted !== null) {
    if (typeof found !== 'object' || found === null) return false;
    const entries = Object.entries(wanted instanceof Error ? { message: wanted.message } : wanted);
    return entries.every(([name, part]) => matches((found as Record<string, unknown>)[name], part));
  }
  return Object.is(found, wanted);
}

const totals: Totals = { passed: 0, failed: 0, skipped: 0, failures: [] };

/** The test that every file of tests begins with. */
const root = new Check('', totals);
export default root;

/** Runs what was named since the last time, and says what was counted. */
export async function settle(): Promise<Totals> {
  await root.idle();
  const counted = { ...totals, failures: [...totals.failures] };
  Object.assign(totals, { passed: 0, failed: 0, skipped: 0, failures: [] });
  return counted;
}
