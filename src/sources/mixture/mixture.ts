import { z } from 'zod';
import { fail, PatchstreamError, type ValidationIssue } from '../../errors.ts';
import { PassedOver } from '../../files/passed-over.ts';
import { closeAll, closeBehind } from '../../own-code.ts';
import type { Spec } from '../../vision/spec.ts';
import { classDifference } from '../classes.ts';
import type { Fields, OpenSource, PartShare } from '../open-source.ts';
import { isSelecting, type Selection, selected } from '../selection.ts';
import { defineSource, type Source, type SourceContext, type SourceFactory } from '../source.ts';
import { sourceOption } from '../source-option.ts';
import { commonSpec } from './common.ts';
import { sharesOf, turnsOf } from './turns.ts';

const part = z.strictObject({
  source: sourceOption().describe('Where the samples of this part come from.'),
  weight: z
    .number()
    .positive()
    .max(1e9)
    .optional()
    .describe(
      'Its share of an epoch, beside the weights of the others. Without weights an epoch has every sample of every part once.',
    ),
  name: z
    .string()
    .regex(/^\w[\w.-]{0,63}$/, 'letters, digits, `_`, `-` and `.`')
    .optional()
    .describe(
      'What its keys begin with, `name/key`; by default the name of its source, of a second one with `-2` behind it.',
    ),
});

type Part = z.output<typeof part>;

/** A part as a program gives it; `S` is the type of its samples. */
export interface MixturePart<S = unknown> extends Omit<z.input<typeof part>, 'source'> {
  readonly source: Source<S>;
}

/** The samples of a mixture: the fields that those of all parts have. */
export type Mixed<Parts extends readonly MixturePart[]> = Parts extends readonly MixturePart<infer S>[]
  ? Pick<S, keyof S>
  : never;

/** The factory of a mixture, whose samples are of the types of its parts. */
export interface MixtureFactory extends Pick<SourceFactory<never, object, never>, 'definition'> {
  <const Parts extends readonly MixturePart[]>(
    options: Selection & { readonly parts: Parts; readonly samples?: number | undefined },
  ): Source<Mixed<Parts>>;
}

/**
 * The samples of several sources as one. In an epoch their shares are as the weights say, rounded to whole samples; it is as long as all parts together or as `samples` says. A part of which an epoch has
 * fewer than it holds goes on in the next where it has stopped; of which it has more, is passed over again, `name#1/key`. So each of its samples is met equally often. Which samples an epoch has
 * is no matter of chance; in which order they come, the run says. A job has the samples of the first epoch. Evaluation passes over each part once. `fold` and `without` choose in each part, and `limit` is parted by the weights.
 * The samples have the fields that all parts have alike. Opening throws MIXTURE_SHARE, MIXTURE_CLASSES, MIXTURE_ENDLESS, and what the parts throw.
 */
export const mixture = defineSource({
  name: 'mixture',
  summary: 'Several sources as one, with a weight for each.',
  selects: true,
  options: z.strictObject({
    parts: z.array(part).min(2).max(1000).describe('The sources, each with its weight.'),
    samples: z
      .int()
      .min(1)
      .max(2 ** 32)
      .optional()
      .describe('How many samples an epoch has; by default as many as all parts together.'),
  }),
  shorthand: 'parts',
  reads: ({ parts }) => parts.flatMap(({ source }) => readBy(source)),
  once: ({ parts, samples: _, ...options }) => ({
    ...options,
    parts: parts.map(({ weight: _, source: { source }, ...part }) => ({
      ...part,
      source: { source: { ...source, options: onceOf(source) } },
    })),
  }),
  *check({ parts }) {
    yield* checkNames(parts);
    const weighted = parts.filter(({ weight }) => weight !== undefined).length;
    if (weighted > 0 && weighted < parts.length)
      yield {
        option: `parts.${parts.findIndex(({ weight }) => weight === undefined)}`,
        error: fail('MIXTURE_WEIGHTS', { found: weighted, count: parts.length }),
      };
    const specs = parts.map(({ source }) => specOf(source));
    const names = namesOf(parts);
    for (const [i, spec] of specs.entries())
      if (spec === undefined)
        yield { option: `parts.${i}.source`, error: fail('MIXTURE_SPEC', { part: names[i]!, number: i + 1 }) };
    const said = specs.filter((spec) => spec !== undefined);
    if (said.length < specs.length) return;
    const { fields, open } = commonSpec(said);
    if (open || 'bytes' in fields || 'picture' in fields) return;
    const found = said.map((spec, i) => `${Object.keys(spec.fields).join(' and ')} of ${names[i]}`).join(', ');
    yield { option: 'parts', error: fail('MIXTURE_FIELDS', { found }) };
  },
  spec: ({ parts }) => specOfAll(parts),
  async open({ parts, samples, ...chosen }, context) {
    const names = namesOf(parts);
    const whole = await openAll(parts, context, isSelecting(chosen));
    const close = () => closeAll(whole);
    try {
      const { sources, shares } = sharedOut(parts, whole, { samples, chosen, names });
      const { fields, open } = specOfAll(parts);
      const kept = Object.keys(fields);
      const turns = turnsOf(shares);
      const at = (index: number) => {
        const turn = turns(index);
        return { ...turn, source: sources[turn.part]! };
      };
      const passedOver = new PassedOver();
      for (const { passedOver: rows } of sources) passedOver.join(rows ?? []);
      return {
        count: shares.reduce((sum, { share }) => sum + share, 0),
        turns: true,
        shares,
        passedOver: passedOver.rows,
        ...('label' in fields && classesOf(sources, shares, context)),
        key(index) {
          const { part, index: inner, again, source } = at(index);
          // In front, where no key of a part can have it: those of a list are `a.jpg#2` where it has a file twice.
          return `${names[part]}${again === 0 ? '' : `#${again}`}/${source.key(inner)}`;
        },
        ...('label' in fields &&
          sources.every(({ label }) => label !== undefined) && {
            label(index: number) {
              const { index: inner, source } = at(index);
              return source.label!(inner);
            },
          }),
        ...(sources.every(({ file }) => file !== undefined) && {
          file(index: number) {
            const { index: inner, source } = at(index);
            return source.file!(inner);
          },
        }),
        async read(index, signal, memory): Promise<Fields> {
          const { index: inner, source } = at(index);
          const read = await source.read(inner, signal, memory);
          return open ? read : Object.fromEntries(kept.map((name) => [name, read[name]]));
        },
        close,
      };
    } catch (error) {
      await closeBehind({ error }, close);
      throw error;
    }
  },
}) as MixtureFactory;

/** The parts by their names. */
function namesOf(parts: readonly Part[]): string[] {
  const counts = new Map<string, number>();
  return parts.map(({ name, source: { source } }) => {
    if (name !== undefined) return name;
    const count = (counts.get(source.name) ?? 0) + 1;
    counts.set(source.name, count);
    return count === 1 ? source.name : `${source.name}-${count}`;
  });
}

function* checkNames(parts: readonly Part[]): Iterable<ValidationIssue> {
  const names = namesOf(parts);
  const again = names.findIndex((name, i) => names.indexOf(name) < i);
  if (again >= 0) yield { option: `parts.${again}`, error: fail('MIXTURE_NAMES', { name: names[again]! }) };
  const inner = parts.findIndex(({ source: { source } }) => source.definition.selects);
  if (inner >= 0) yield { option: `parts.${inner}.source`, error: fail('MIXTURE_NESTED', {}) };
}

/** Undefined of a source of the user's own that does not say what its samples hold. */
function specOf({ source: { definition, options } }: Source): Spec | undefined {
  return definition.spec(options) ?? undefined;
}

/** Open where a part does not say what its samples hold, which `check` has told. */
function specOfAll(parts: readonly Part[]): Spec {
  return commonSpec(parts.map(({ source }) => specOf(source) ?? { fields: {}, open: true }));
}

function readBy({ source: { definition, options } }: Source): readonly string[] {
  const folder = definition.folder?.(options);
  return definition.reads?.(options) ?? (folder === undefined ? [] : [folder]);
}

function onceOf({ definition, options }: Source['source']): unknown {
  return definition.once?.(options) ?? options;
}

/** How many times a part passes over what it reads. */
function repeatOf({ source: { definition, options } }: Source): number {
  return definition.once === undefined ? 1 : ((options as { readonly repeat?: number }).repeat ?? 1);
}

/** The parts, open; none stays open where one cannot be opened. @param once whether each passes but once over what it reads: what is repeated is what was chosen. */
async function openAll(parts: readonly Part[], context: SourceContext, once: boolean): Promise<OpenSource[]> {
  const opened: OpenSource[] = [];
  try {
    for (const { source } of parts) {
      const { definition, options } = source.source;
      opened.push(await definition.open(once ? onceOf(source.source) : options, context));
    }
    return opened;
  } catch (error) {
    await closeBehind({ error }, () => closeAll(opened));
    throw error;
  }
}

interface Asked {
  readonly samples: number | undefined;
  readonly chosen: Selection;
  readonly names: readonly string[];
}

/** What is chosen of each part, and how many of it are in an epoch. @throws MIXTURE_ENDLESS, MIXTURE_SHARE, SELECTION_EMPTY */
function sharedOut(parts: readonly Part[], whole: readonly OpenSource[], { samples, chosen, names }: Asked) {
  const endless = whole.findIndex(({ count }) => !Number.isFinite(count));
  if (endless >= 0) throw fail('MIXTURE_ENDLESS', { part: names[endless]! });
  const { limit, ...folds } = chosen;
  const repeats = isSelecting(chosen) ? parts.map(({ source }) => repeatOf(source)) : parts.map(() => 1);
  const choose = (source: OpenSource, i: number, selection: Selection, repeat?: number) => {
    try {
      return selected(source, selection, repeat);
    } catch (error) {
      throw error instanceof PatchstreamError ? new PatchstreamError(error.code, error.text, names[i], error) : error;
    }
  };
  const folded = isSelecting(folds)
    ? whole.map((source, i) => choose(source, i, folds, limit === undefined ? repeats[i] : 1))
    : whole;
  const weightsOver = (sources: readonly OpenSource[]) => parts.map(({ weight }, i) => weight ?? sources[i]!.count);
  const all = (sources: readonly OpenSource[]) => sources.reduce((sum, { count }) => sum + count, 0);
  const enough = (shares: readonly number[]) => {
    const none = shares.indexOf(0);
    if (none < 0) return shares;
    throw fail('MIXTURE_SHARE', { part: names[none]!, samples: shares.reduce((sum, share) => sum + share, 0) });
  };
  const most = limit === undefined ? [] : enough(sharesOf(weightsOver(folded), Math.min(limit, all(folded))));
  const sources = folded.map((source, i) =>
    limit === undefined ? source : choose(source, i, { limit: most[i] }, repeats[i]),
  );
  const shares = enough(sharesOf(weightsOver(sources), samples ?? all(sources)));
  return {
    sources,
    shares: sources.map(({ count }, i): PartShare => ({ name: names[i]!, count, share: shares[i]! })),
  };
}

/** The classes of the labels, where all parts that name theirs mean the same. @throws MIXTURE_CLASSES */
function classesOf(sources: readonly OpenSource[], shares: readonly PartShare[], { progress }: SourceContext) {
  const named = sources.flatMap(({ classNames }, i) => (classNames ? [{ classNames, name: shares[i]!.name }] : []));
  const longest = named.reduce<(typeof named)[number] | undefined>(
    (best, one) => (best !== undefined && best.classNames.length >= one.classNames.length ? best : one),
    undefined,
  );
  if (longest === undefined) return {};
  for (const { classNames, name } of named) {
    const difference = classDifference(longest.classNames, classNames);
    if (difference !== undefined) throw fail('MIXTURE_CLASSES', { part: name, first: longest.name, found: difference });
  }
  const silent = shares.filter((_, i) => sources[i]!.classNames === undefined).map(({ name }) => name);
  if (silent.length > 0)
    progress(`${silent.join(', ')}: labels without names, taken for the numbers of the classes of ${longest.name}`);
  const counts = longest.classNames.map(() => 0);
  for (const [i, { classCounts }] of sources.entries()) {
    const { count, share } = shares[i]!;
    if (classCounts === undefined || share % count !== 0) return { classNames: longest.classNames };
    for (const [rank, of] of classCounts.entries()) counts[rank]! += (of * share) / count;
  }
  return { classNames: longest.classNames, classCounts: counts };
}
