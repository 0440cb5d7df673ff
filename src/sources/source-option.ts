import { z } from 'zod';
import type { Source } from './source.ts';

/**
 * The schema of an option that is another source: in a program the value of its factory, in a file its name and options. What gets the option has them parsed, and opens it by
 * `source.definition.open(source.options, context)`.
 */
export function sourceOption() {
  return z.custom<Source>(isSource, 'a source, as `image-folder: { path: ./photos }`').meta({ format: 'source' });
}

function isSource(value: unknown): value is Source {
  if (typeof value !== 'object' || value === null || !('source' in value)) return false;
  const { source } = value;
  return typeof source === 'object' && source !== null && 'definition' in source && 'options' in source;
}

type At = readonly (string | number)[];

/** Options with every source that stands in them, in lists and in maps, put as `change` says. @param at where the options stand. */
export function mapSources(options: unknown, change: (source: Source, at: At) => unknown, at: At = []): unknown {
  if (isSource(options)) return change(options, at);
  if (Array.isArray(options)) return options.map((item, i) => mapSources(item, change, [...at, i]));
  if (typeof options !== 'object' || options === null) return options;
  if (Object.getPrototypeOf(options) !== Object.prototype) return options;
  return Object.fromEntries(
    Object.entries(options).map(([key, inner]) => [key, mapSources(inner, change, [...at, key])]),
  );
}
