import { fail } from '../../errors.ts';
import type { ModelDefinition } from '../../models/define.ts';
import type { SinkDefinition } from '../../sinks/sink.ts';
import { optimizerNames } from '../../train/optimizers/options.ts';
import type { Spec } from '../../vision/spec.ts';
import type { Definition } from '../definition.ts';
import type { Path } from '../file/locate.ts';
import { found } from '../options.ts';
import type { Problems } from '../problem.ts';
import type { Registry } from '../registry.ts';
import { type TrainOptions, trainOptions } from '../train.options.ts';
import { looseFields } from './infer-specs.ts';
import { addIssues, parseNamed } from './named.ts';

/** `train`, parsed. */
export interface ResolvedTrain extends TrainOptions {
  readonly model: { readonly name: string; readonly options: unknown; readonly definition: ModelDefinition };
}

export interface ResolvedSink {
  readonly name: string;
  readonly options: unknown;
  readonly definition: SinkDefinition;
}

type Raw = Readonly<Record<string, unknown>>;

/** A run ends in a sink or in training, in one of them. */
export function checkEnds({ train, sink, evaluate }: Definition, problems: Problems): void {
  if (train !== undefined && sink !== undefined) {
    problems.add(
      fail('PIPELINE_ENDS', { found: 'both', advice: 'Take one out, or write two files, one with `extends`.' }),
      ['sink'],
      { key: true },
    );
  }
  if (train === undefined && sink === undefined) {
    problems.add(fail('PIPELINE_ENDS', { found: 'neither', advice: 'Add `sink: images`, or a section `train`.' }), []);
  }
  if (evaluate !== undefined && train === undefined)
    problems.add(fail('EVALUATE_TRAIN', {}), ['evaluate'], { key: true });
}

/** Parses the sink's options and asks it about the chain's end. */
export function checkSink({ sink }: Definition, spec: Spec, problems: Problems): ResolvedSink | undefined {
  if (sink === undefined) return undefined;
  const { name, options, definition } = sink.sink;
  const named = { at: ['sink', name], owner: `sink ${name}` };
  const value = parseNamed(definition.options, options, named, problems);
  if (value === undefined) return undefined;
  addIssues(() => definition.check?.(value, spec), named, problems);
  return { name, options: value, definition };
}

/** Parses `train` and its model's options, and checks their rules and what the chain gives the model. */
export function checkTrain(
  { train }: Definition,
  spec: Spec,
  registry: Registry,
  problems: Problems,
): ResolvedTrain | undefined {
  if (train === undefined) return undefined;
  if (typeof train !== 'object' || train === null || Array.isArray(train)) {
    const slots = {
      option: 'train',
      expected: 'a map',
      found: found(train),
      advice: 'Write `train: { model: …, batch: … }`.',
    };
    problems.add(fail('OPTION_VALUE', slots), ['train']);
    return undefined;
  }
  const { model, ...own } = train;
  const named = { at: ['train'], owner: 'train', also: ['model'] };
  const value = parseNamed(trainOptions.omit({ model: true }), own, named, problems);
  checkRules(own, problems);
  const known = checkModel(model, spec, registry, problems);
  checkMicroBatch(own, known, problems);
  return value && known && { ...value, model: known };
}

function checkModel(
  model: unknown,
  spec: Spec,
  registry: Registry,
  problems: Problems,
): ResolvedTrain['model'] | undefined {
  const path: Path = ['train', 'model'];
  if (typeof model !== 'object' || model === null || !('model' in model)) {
    const names = [...registry.models.keys()].join(', ');
    problems.add(fail('OPTION_MISSING', { option: 'model', expected: `one of ${names}`, advice: ' to train' }), path);
    return undefined;
  }
  const { name, options, definition } = model.model as { name: string; options: unknown; definition: ModelDefinition };
  const at = [...path, name];
  const who = `model ${name}`;
  const named = { at, owner: who, who };
  const value = parseNamed(definition.options, options, named, problems);
  const loose = looseFields(spec, definition.fields, who, registry);
  for (const error of loose) problems.add(error, at, { key: true, who });
  if (value === undefined) return undefined;
  // A model that lacks a field would only say so again.
  if (!spec.open && loose.length === 0) addIssues(() => definition.check?.(value, spec), named, problems);
  return { name, options: value, definition };
}

/** Rules across options. They look at what was written, so that they are told beside wrong types. */
function checkRules(own: Raw, problems: Problems): void {
  const at = ['train'];
  oneOf(own, ['steps', 'epochs'], at, problems);
  const optimizer = mapOf(own.optimizer);
  if (optimizer) {
    oneOf(optimizer, optimizerNames, [...at, 'optimizer'], problems);
    for (const name of optimizerNames) {
      const named = mapOf(optimizer[name]);
      if (named) oneOf(named, ['lr', 'baseLr'], [...at, 'optimizer', name], problems);
    }
  }
  const schedule = mapOf(own.schedule);
  if (schedule) {
    oneOf(schedule, ['cosine', 'constant'], [...at, 'schedule'], problems);
    for (const name of ['cosine', 'constant']) {
      const shape = mapOf(schedule[name]);
      if (shape) oneOf(shape, ['warmupSteps', 'warmupEpochs'], [...at, 'schedule', name], problems, { none: true });
    }
  }
  const checkpoint = mapOf(own.checkpoint);
  if (checkpoint) oneOf(checkpoint, ['everySteps', 'everyEpochs'], [...at, 'checkpoint'], problems, { none: true });
}

/** The micro-batch divides the batch, and where the model mixes samples in pairs both are even. */
function checkMicroBatch(
  { batch, microBatch }: Raw,
  model: ResolvedTrain['model'] | undefined,
  problems: Problems,
): void {
  if (typeof batch !== 'number') return;
  const pairs = model?.definition.pairs?.(model.options) ?? false;
  const isFixed = typeof microBatch === 'number' && microBatch >= 1;
  if (isFixed && batch % microBatch !== 0) {
    const advice = `Try ${divisorsAround(batch, microBatch).join(' or ')}.`;
    problems.add(fail('MICRO_BATCH', { batch, found: microBatch, advice }), ['train', 'microBatch']);
  } else if (pairs && batch % 2 === 1) {
    problems.add(fail('MICRO_BATCH_PAIRS', { found: batch }), ['train', 'batch']);
  } else if (pairs && isFixed && microBatch % 2 === 1) {
    problems.add(fail('MICRO_BATCH_PAIRS', { found: microBatch }), ['train', 'microBatch']);
  }
}

function mapOf(value: unknown): Raw | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Raw) : undefined;
}

/** Exactly one of `names` must be given; with `none`, at most one. */
export function oneOf(map: Raw, names: readonly string[], path: Path, problems: Problems, { none = false } = {}): void {
  const given = names.filter((name) => map[name] !== undefined);
  if (given.length === 1 || (none && given.length === 0)) return;
  const options = names.join(', ').replace(/, ([^,]*)$/, ' and $1');
  const found = given.length === 0 ? 'none' : 'several';
  const advice =
    given.length === 0
      ? 'Add one.'
      : `Take one out; over a file it is \`--set ${[...path, given[0]].join('.')}=null\`.`;
  problems.add(fail('OPTION_ONE_OF', { options, found, advice }), given.length === 0 ? path : [...path, given[1]!], {
    key: true,
  });
}

function divisorsAround(whole: number, near: number): number[] {
  let below = Math.min(near, whole);
  while (whole % below !== 0) below--;
  let above = near;
  while (above < whole && whole % above !== 0) above++;
  return [...new Set([below, Math.min(above, whole)])];
}
