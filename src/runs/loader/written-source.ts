import { builtin } from '../../pipeline/builtin.ts';
import { type JsonSchema, jsonSchema } from '../../pipeline/options.ts';
import { plainOptions } from '../../pipeline/resolve/resolved-json.ts';
import type { OpenSource, Source } from '../../sources/source.ts';
import { jsonOf } from '../../whole-file.ts';

/** The source of a run as its `pipeline.json` has it: its name, and its options. */
export type WrittenSource = Readonly<Record<string, unknown>>;

/** A source as a run writes it down. */
export function writtenSource({ source: { name, options, definition } }: Source): WrittenSource {
  return JSON.parse(
    JSON.stringify({ [name]: plainOptions({ options: definition.options.parse(options) }) }),
  ) as WrittenSource;
}

/** The source in the text of a `pipeline.json`, where it has one. */
export function sourceIn(text: string | undefined): WrittenSource | undefined {
  const { source } = (jsonOf(text ?? '') ?? {}) as { readonly source?: unknown };
  return typeof source === 'object' && source !== null ? (source as WrittenSource) : undefined;
}

/** Opens such a source; nothing where its name or its options are not ours, as those of a user's own source. @throws what the source throws */
export async function openWritten(written: WrittenSource): Promise<OpenSource | undefined> {
  const found = sourceOf(written);
  if (found === undefined) return undefined;
  const { signal } = new AbortController();
  const { definition, options } = found.source;
  return definition.open(options, { base: process.cwd(), signal, progress: () => {} });
}

function sourceOf(written: unknown): Source | undefined {
  const [name = '', options] = Object.entries(written ?? {})[0] ?? [];
  const definition = builtin.sources.get(name);
  const parsed = definition?.options.safeParse(withSources(options, jsonSchema(definition.options)));
  if (definition === undefined || parsed?.success !== true) return undefined;
  return { source: { name, options: parsed.data, definition } };
}

/** Options with every source among them made one of its name and options; what is none stays, and is refused with the options. */
function withSources(options: unknown, { format, items, properties = {} }: JsonSchema): unknown {
  if (format === 'source') return sourceOf(options);
  if (Array.isArray(options) && typeof items === 'object') return options.map((item) => withSources(item, items));
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return options;
  return Object.fromEntries(
    Object.entries(options).map(([key, inner]) => [key, withSources(inner, properties[key] ?? {})]),
  );
}
