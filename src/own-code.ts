import { fail, messageOf, PatchstreamError } from './errors.ts';

/**
 * Calls a function of a part that may be the user's own (`owner`: `stage mask`).
 *
 * @throws STAGE_BROKEN, which says whose function it is, for what it throws or rejects with; an error of the catalogue as it is.
 */
export function called<T>(owner: string, hook: string, work: () => T): T {
  try {
    const answer = work();
    if (!isPromise(answer)) return answer;
    return answer.then(undefined, (error) => {
      throw told(owner, hook, error);
    }) as T;
  } catch (error) {
    throw told(owner, hook, error);
  }
}

/** A definition whose functions of these names are called by `called`. */
export function guarded<D extends object>(owner: string, definition: D, hooks: readonly (keyof D & string)[]): D {
  const guards = hooks.flatMap((hook) => {
    const own: unknown = definition[hook];
    if (typeof own !== 'function') return [];
    return [[hook, (...given: unknown[]) => called(owner, hook, () => own.apply(definition, given))] as const];
  });
  return Object.assign(Object.create(Object.getPrototypeOf(definition)), definition, Object.fromEntries(guards));
}

/** What ended some work. */
export interface Ended {
  readonly error: unknown;
}

/**
 * Closes what work has left open. Where an error has ended the work, that is the one to be told: what `close` throws then is the last of its causes, and given back; unless it is the same failure
 * once more.
 *
 * @throws what `close` throws, where nothing was thrown before.
 */
export async function closeBehind(ended: Ended | undefined, close: () => unknown): Promise<Ended | undefined> {
  try {
    await close();
    return undefined;
  } catch (error) {
    if (ended === undefined) throw error;
    const chain = withCauses(ended.error);
    // A circle of causes would be followed without end.
    if (withCauses(error).some((cause) => chain.includes(cause))) return undefined;
    const last = chain.at(-1);
    if (last instanceof Error && Object.isExtensible(last)) last.cause ??= error;
    return { error };
  }
}

/** What was thrown, and its causes. */
export function withCauses(error: unknown): unknown[] {
  const chain = new Set<unknown>([error]);
  for (let at = error; at instanceof Error && at.cause !== undefined && !chain.has(at.cause); at = at.cause)
    chain.add(at.cause);
  return [...chain];
}

/** Closes all, also where one cannot be closed. @throws what the first of these throws. */
export async function closeAll(all: Iterable<{ close?(): unknown }>): Promise<void> {
  const closed = await Promise.allSettled(Array.from(all, async (one) => one.close?.()));
  const failed = closed.find(({ status }) => status === 'rejected');
  if (failed?.status === 'rejected') throw failed.reason;
}

/** Closes what was opened and cannot be worked with, where it can be closed. Gives what that threw, for the error that tells of the fault: its `found` goes on with `also`. */
export async function closeFaulty(opened: unknown, ...given: unknown[]): Promise<{ also: string; cause?: unknown }> {
  const { close } = (opened ?? {}) as { readonly close?: unknown };
  if (typeof close !== 'function') return { also: '' };
  try {
    await close.apply(opened, given);
    return { also: '' };
  } catch (cause) {
    return { also: `, of which \`close\` threw: ${messageOf(cause)}`, cause };
  }
}

function told(owner: string, hook: string, error: unknown): unknown {
  if (error instanceof PatchstreamError) return error;
  const found = error === undefined || error === null ? 'nothing, thrown without a reason' : messageOf(error);
  return fail('STAGE_BROKEN', { owner, hook, found }, { cause: error });
}

/** True for anything with a `then`: a promise, or a thenable of virtual time. */
export function isPromise<B>(value: B | PromiseLike<B>): value is PromiseLike<B> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}
