import type { z } from 'zod';
import { fail } from '../../errors.ts';
import { abilities, type DataName } from '../../measures/define.ts';
import type { Spec } from '../../vision/spec.ts';
import type { Problems } from '../problem.ts';
import type { Registry } from '../registry.ts';
import type { HeldOutChain, ResolvedEvaluate, ResolvedMeasure } from './evaluate.ts';
import { fieldList, looseFields } from './infer-specs.ts';
import { addIssues, completedOptions } from './named.ts';
import type { ResolvedTrain } from './outputs.ts';

/** Holds what is measured to what is trained: the model must be able to do it, on pictures cut as those it learns from. @returns the measures with the options that depend on the model. */
export function checkMeasures(
  train: ResolvedTrain,
  trained: Spec,
  { measures, ...evaluate }: ResolvedEvaluate,
  registry: Registry,
  problems: Problems,
): ResolvedEvaluate {
  const { model } = train;
  const complete = measures.map((measure) => completed(measure, model, problems));
  for (const measure of complete) {
    const { definition, path, options, data } = measure;
    const ability = definition.needs && abilities[definition.needs];
    if (ability !== undefined && !ability.isDefined(model.definition))
      problems.add(fail(ability.lacks, { model: model.name, measure: definition.name }), path, { key: true });
    const chains = data as Readonly<Record<DataName, HeldOutChain>>;
    const named = { at: path, owner: `measure ${definition.name}` };
    addIssues(() => definition.check?.(options, { model, data: chains }), named, problems);
    for (const [which, chain] of Object.entries(data))
      checkChain(which, chain, measure, { model, trained, registry, problems });
  }
  return { ...evaluate, measures: complete };
}

function completed(measure: ResolvedMeasure, model: ResolvedTrain['model'], problems: Problems): ResolvedMeasure {
  const { definition, path, options } = measure;
  const named = { at: path, owner: `measure ${definition.name}` };
  if (definition.complete === undefined) return measure;
  const whole = completedOptions(() => definition.complete!(options, { model }), named, problems);
  if (whole === undefined) return measure;
  // In the order of parsed options: by their text a run knows whether it is the same.
  const order = Object.keys((definition.options as z.ZodObject).shape);
  const rank = ([name]: [string, unknown]) => order.indexOf(name);
  const sorted = Object.entries(whole).sort((a, b) => rank(a) - rank(b));
  return { ...measure, options: Object.fromEntries(sorted) };
}

interface Checking {
  readonly model: ResolvedTrain['model'];
  readonly trained: Spec;
  readonly registry: Registry;
  readonly problems: Problems;
}

/** Labels where they are wanted; the fields that are read; pictures as they are trained on, which no stage changes at random where they are looked at as a whole. */
function checkChain(
  which: string,
  { source, stages, spec }: HeldOutChain,
  { definition, path, options }: ResolvedMeasure,
  { model, trained, registry, problems }: Checking,
): void {
  const { name: measure, labels, fields, needs } = definition;
  if (labels && !spec.open && spec.fields.label === undefined) {
    const slots = { measure, source: source.name, fields: fieldList(source.spec) };
    problems.add(fail('LABELS_MISSING', slots), [...path, which], { key: true });
  }
  const say = (error: Parameters<Problems['add']>[0]) => problems.add(error, [...path, 'stages'], { key: true });
  // Stages that were taken over from the training have been replaced by their variants for evaluation.
  for (const { name: stage, definition, options: own } of fields === undefined ? [] : stages) {
    const variant = definition?.evalVariant?.(own);
    if (variant === undefined) continue;
    const advice = variant === null ? 'Leave it out.' : `Write \`${variant.name}\` in its place.`;
    say(fail('EVALUATE_RANDOM', { measure, stage, advice }));
  }
  const loose = looseFields(
    spec,
    fields ?? model.definition.fields,
    fields === undefined ? `model ${model.name}` : measure,
    registry,
  );
  for (const error of loose) say(error);
  if (loose.length > 0 || spec.open || trained.open || (fields !== undefined && needs === undefined)) return;
  if (definition.isOfAnySize?.(options)) return;
  const text = fields === undefined ? cutText : sizeText;
  const [expected, found] = [text(trained), text(spec)];
  if (expected !== found) say(fail('EVALUATE_SHAPE', { expected, found }));
}

/** How pictures are cut for a model: where windows are cut the picture's size does not matter. */
function cutText(spec: Spec): string {
  const { grid, windows } = spec;
  const patches = `patches of ${grid?.patch} px`;
  if (windows !== undefined) return `${patches}, windows of ${windows.K} × ${windows.K}`;
  return `${patches}, ${sizeText(spec)}`;
}

function sizeText({ size }: Spec): string {
  return `pictures of ${size?.[1]}×${size?.[0]} px`;
}
