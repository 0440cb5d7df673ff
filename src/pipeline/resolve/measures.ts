import { fail } from '../../errors.ts';
import type { Spec } from '../../vision/spec.ts';
import type { Path } from '../file/locate.ts';
import type { Problems } from '../problem.ts';
import type { Registry } from '../registry.ts';
import type {
  ClassifyMeasure,
  FeatureMeasure,
  HeldOutChain,
  ReconstructionMeasure,
  ResolvedEvaluate,
  ResolvedMeasure,
} from './evaluate.ts';
import { fieldList, looseFields } from './infer-specs.ts';
import type { ResolvedTrain } from './outputs.ts';

/** Holds what is measured to what is trained: the model must be able to do it, on pictures cut as those it learns from. */
export function checkMeasures(
  train: ResolvedTrain,
  trained: Spec,
  { measures }: ResolvedEvaluate,
  registry: Registry,
  problems: Problems,
): void {
  for (const measure of measures) {
    const checking = { train, trained, registry, problems };
    if (measure.kind === 'reconstruction') checkReconstruction(measure, checking);
    else if (measure.kind === 'classify') checkClassify(measure, checking);
    else checkFeatures(measure, checking);
  }
}

interface Checking {
  readonly train: ResolvedTrain;
  readonly trained: Spec;
  readonly registry: Registry;
  readonly problems: Problems;
}

function checkReconstruction(measure: ReconstructionMeasure, { train, trained, registry, problems }: Checking): void {
  const { model } = train;
  const { on, options, path } = measure;
  const say = (error: Parameters<Problems['add']>[0], at = path) => problems.add(error, at, { key: true });
  if (model.definition.restores === false) say(fail('MODEL_RESTORES', { model: model.name }));
  if (options.beside === 'low-resolution' && !model.definition.fields.includes('lr')) {
    const [field, fields] = ['lr', model.definition.fields.join(', ')];
    const advice = `Compare ${model.name} with another.`;
    say(fail('FIELD_MISSING', { owner: 'beside low-resolution', field, fields, advice }), [...path, 'beside']);
  }
  const loose = looseFields(on.spec, model.definition.fields, `model ${model.name}`, registry);
  for (const error of loose) say(error, stagesOf(measure));
  if (loose.length > 0 || on.spec.open || trained.open) return;
  const [expected, found] = [cutText(trained), cutText(on.spec)];
  if (expected !== found) say(fail('EVALUATE_SHAPE', { expected, found }), stagesOf(measure));
}

/** How pictures are cut for a model: where windows are cut the picture's size does not matter. */
function cutText({ grid, windows, size }: Spec): string {
  const patches = `patches of ${grid?.patch} px`;
  if (windows !== undefined) return `${patches}, windows of ${windows.K} × ${windows.K}`;
  return `${patches}, pictures of ${size?.[1]}×${size?.[0]} px`;
}

function checkFeatures(measure: FeatureMeasure, checking: Checking): void {
  const { kind, on, against, options, path } = measure;
  const { model } = checking.train;
  const say = (error: Parameters<Problems['add']>[0], at = path) => checking.problems.add(error, at, { key: true });
  if (model.definition.encodes === false) say(fail('MODEL_ENCODES', { measure: kind, model: model.name }));
  for (const [which, chain] of Object.entries({ on, against })) checkLabels(measure, which, chain, checking);
  const { against: most = Number.POSITIVE_INFINITY } = options.limit;
  if (measure.kind === 'knn' && measure.options.k > most) {
    say(fail('KNN_FEW', { count: most, k: measure.options.k }), [...path, 'k']);
  }
  checkPictures(measure, checking);
}

function checkClassify(measure: ClassifyMeasure, checking: Checking): void {
  const { model } = checking.train;
  if (model.definition.classifies !== true)
    checking.problems.add(fail('MODEL_CLASSIFIES', { model: model.name }), measure.path, { key: true });
  checkLabels(measure, 'on', measure.on, checking);
  checkPictures(measure, checking);
}

function checkLabels(
  { kind, path }: ResolvedMeasure,
  which: string,
  { spec, source }: HeldOutChain,
  { problems }: Checking,
): void {
  if (spec.open || spec.fields.label !== undefined) return;
  const slots = { measure: kind, source: source.name, fields: fieldList(source.spec) };
  problems.add(fail('LABELS_MISSING', slots), [...path, which], { key: true });
}

/** Whole pictures of the size that is trained, which no stage changes at random. */
function checkPictures(measure: FeatureMeasure | ClassifyMeasure, { trained, registry, problems }: Checking): void {
  const { kind, on } = measure;
  const say = (error: Parameters<Problems['add']>[0]) => problems.add(error, stagesOf(measure), { key: true });
  // Stages that were taken over from the training have had their twins put in.
  for (const { name, definition, options } of on.stages) {
    const twin = definition?.twin?.(options);
    if (twin === undefined) continue;
    const advice = twin === null ? 'Leave it out.' : `Write \`${twin.name}\` in its place.`;
    say(fail('EVALUATE_RANDOM', { stage: name, advice }));
  }
  const loose = looseFields(on.spec, ['picture'], kind, registry);
  for (const error of loose) say(error);
  if (loose.length > 0 || on.spec.open || trained.open) return;
  const [expected, found] = [sizeText(trained), sizeText(on.spec)];
  if (expected !== found) say(fail('EVALUATE_SHAPE', { expected, found }));
}

function sizeText({ size }: Spec): string {
  return `pictures of ${size?.[1]}×${size?.[0]} px`;
}

function stagesOf({ path }: ResolvedMeasure): Path {
  return [...path, 'stages'];
}
