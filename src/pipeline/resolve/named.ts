import type { z } from 'zod';
import { fail, messageOf, PatchstreamError, type ValidationIssue, valueText } from '../../errors.ts';
import { isPromise } from '../../own-code.ts';
import type { Path } from '../file/locate.ts';
import { parseOptions } from '../options.ts';
import type { Problems } from '../problem.ts';

/** Something that a pipeline names, and where. */
export interface Named {
  readonly at: Path;
  /** As messages call it: `source image-folder`. */
  readonly owner: string;
  /** The same, where places of problems are to say it. */
  readonly who?: string | undefined;
  /** Names of options that are looked up elsewhere. */
  readonly also?: readonly string[];
}

/** Parses the options of something; undefined, and problems, where they are wrong. */
export function parseNamed<T>(
  schema: z.ZodType<T>,
  options: unknown,
  { at, owner, who, also }: Named,
  problems: Problems,
): T | undefined {
  const { value, problems: wrong } = parseOptions(schema, options, owner, also);
  for (const { error, path, key } of wrong) problems.add(error, [...at, ...path], { key, who });
  return value;
}

/** Reports what something finds wrong with its own options; what its code throws is a problem as well. */
export function addIssues(
  found: () => Iterable<ValidationIssue> | undefined,
  { at, owner, who }: Named,
  problems: Problems,
): void {
  try {
    for (const { error, option } of found() ?? []) {
      const path = option === undefined ? at : [...at, ...optionPath(option)];
      problems.add(error, path, { key: option === undefined, who });
    }
  } catch (cause) {
    problems.add(fail('STAGE_BROKEN', { owner, hook: 'check', found: messageOf(cause) }, { cause }), at, {
      key: true,
      who,
    });
  }
}

/** What a function of something's definition answers; undefined, and a problem, where its code throws. */
export function answered<T>(ask: () => T, { at, who }: Named, problems: Problems): T | undefined {
  try {
    return ask();
  } catch (error) {
    if (!(error instanceof PatchstreamError)) throw error;
    problems.add(error, at, { key: true, who });
    return undefined;
  }
}

/** The options that `complete` of something's definition gives; undefined, and a problem, where its code throws or gives no map. */
export function completedOptions(complete: () => unknown, named: Named, problems: Problems): object | undefined {
  const ask = () => {
    const options = complete();
    if (Object.prototype.toString.call(options) !== '[object Object]' || isPromise(options))
      throw misgiven(options, named, { hook: 'complete', wanted: 'options' });
    return options as object;
  };
  return answered(ask, named, problems);
}

/** The error for what a function of something's definition gives in the place of what it must. */
export function misgiven(
  value: unknown,
  { owner }: Named,
  { hook, wanted }: { readonly hook: string; readonly wanted: string },
): PatchstreamError {
  const isLate = isPromise(value);
  // Nobody waits for it: what it rejects with would end the process.
  if (isLate) value.then(undefined, () => {});
  const found = `${isLate ? 'a promise' : valueText(value)} in the place of ${wanted}`;
  return fail('STAGE_BROKEN', { owner, hook, found });
}

/** `size.0` as a path. */
function optionPath(option: string): (string | number)[] {
  return option.split('.').map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}
