import { fail } from '../../errors.ts';
import { coreCount } from '../../machine.ts';
import type { Spec } from '../../vision/spec.ts';
import type { Definition } from '../definition.ts';
import { settings } from '../file/settings.ts';
import { parseOptions } from '../options.ts';
import { type Problem, Problems } from '../problem.ts';
import type { Registry } from '../registry.ts';
import { checkEvaluate, checkSource, openSpec, type ResolvedEvaluate, type ResolvedSource } from './evaluate.ts';
import { inferSpecs, type ResolvedStage } from './infer-specs.ts';
import { checkJudged } from './judged.ts';
import { checkMeasures } from './measures.ts';
import { checkEnds, checkSink, checkTrain, type ResolvedSink, type ResolvedTrain } from './outputs.ts';
import { checkOverlap } from './overlap.ts';
import { checkTrackers, type ResolvedTracker } from './trackers.ts';

/** A definition with every option parsed and every spec known: what is built, and what `describe` shows. Parts that have problems are absent. */
export interface Resolved {
  readonly definition: Definition;
  readonly problems: readonly Problem[];
  readonly source?: ResolvedSource;
  readonly stages: readonly ResolvedStage[];
  /** At the end of the chain. */
  readonly spec: Spec;
  readonly sink?: ResolvedSink;
  readonly train?: ResolvedTrain;
  readonly evaluate?: ResolvedEvaluate;
  readonly track?: readonly ResolvedTracker[];
  readonly capacity: Capacity;
}

/** How much may be under way. */
export interface Capacity {
  /** As set; otherwise one per core, where a training begins. */
  readonly threads: number;
  /** The most threads that a training may try, where it chooses them itself. */
  readonly mostThreads?: number;
  readonly permits: number;
  /** The most permits, which a run takes where reads take long and there is memory for the files. */
  readonly mostPermits: number;
  /** Reads in flight, as set; absent where the run chooses. */
  readonly reads?: number;
  /** The least permits with which the chain can run: threads + Σ (holds + 1) over the stages that hold. */
  readonly needed: number;
  /** Samples that stages may gather, of the permits that a run chooses. */
  readonly gathered: number;
  /** As set; absent where the run chooses. */
  readonly cells?: number;
}

/**
 * Parses and checks all of a definition and never stops at the first problem. Opens no data.
 *
 * @param ends ask for a sink or training, as a run does; batches taken in a program need neither.
 */
export function resolvePipeline(definition: Definition, registry: Registry, { ends = true } = {}): Resolved {
  const problems = new Problems({ origin: definition.origin, file: definition.file });
  checkSettings(definition, problems);
  if (ends) checkEnds(definition, problems);
  const source = checkSource(definition.source, ['source'], problems);
  const start = source?.spec ?? openSpec;
  const stages = inferSpecs(definition.stages, start, ['stages'], registry, problems, definition);
  const spec = stages.at(-1)?.after ?? start;
  const capacity = capacityOf(definition, stages);
  checkCapacity(definition, capacity, problems);
  const sink = checkSink(definition, spec, problems);
  const train = checkTrain(definition, spec, registry, problems);
  const measured = checkEvaluate(definition, { source, stages }, registry, problems);
  const evaluate =
    train === undefined || measured === undefined ? measured : checkMeasures(train, spec, measured, registry, problems);
  if (train !== undefined && (evaluate !== undefined || definition.evaluate === undefined))
    checkJudged(train, evaluate, problems);
  const track = checkTrackers(definition, problems);
  // Batches that a program takes are written nowhere.
  if (ends) checkOverlap(definition, { source, sink, evaluate }, problems);
  const parts = Object.fromEntries(
    Object.entries({ source, sink, train, evaluate, track }).filter(([, part]) => part !== undefined),
  );
  return Object.freeze({ definition, problems: problems.sorted(), stages, spec, capacity, ...parts });
}

function checkSettings(definition: Definition, problems: Problems): void {
  const { name, seed, output, permits, threads, reads, cells } = definition;
  const own = Object.entries({ name, seed, output, permits, threads, reads, cells }).filter(
    ([, value]) => value !== undefined,
  );
  for (const { error, path } of parseOptions(settings, Object.fromEntries(own), 'a pipeline').problems)
    problems.add(error, path);
}

/** Where reads take seconds, more samples in flight than that are none that memory would hold. */
const ampleRead = 16_384;

function capacityOf(definition: Definition, stages: readonly ResolvedStage[]): Capacity {
  const threads = typeof definition.threads === 'number' ? definition.threads : coreCount();
  const needed = threads + stages.reduce((sum, { holds }) => sum + (holds > 0 ? holds + 1 : 0), 0);
  const reads = typeof definition.reads === 'number' ? definition.reads : undefined;
  // What a stage gathers lies in it beside what the threads work on.
  const gathered = stages.reduce((sum, { definition, options, policy }) => {
    const places = options === undefined ? undefined : definition?.atATime?.(options);
    return sum + (places === undefined ? 0 : (policy.concurrency ?? places));
  }, 0);
  const most = Math.max(32, 4 * threads + gathered, needed, reads === undefined ? 0 : reads + 4 * threads + gathered);
  const permits = typeof definition.permits === 'number' ? definition.permits : most;
  const { cells, train } = definition;
  // Every thread wants a permit, and twice the cores is as much as waiting for disks can need.
  const mostThreads = Math.max(1, Math.min(Math.max(4, 2 * threads), permits - (needed - threads)));
  return {
    threads,
    ...(train !== undefined && typeof definition.threads !== 'number' && { mostThreads }),
    permits,
    mostPermits: typeof definition.permits === 'number' ? permits : Math.max(permits, ampleRead),
    ...(reads !== undefined && { reads }),
    needed,
    gathered,
    ...(cells !== undefined && { cells }),
  };
}

function checkCapacity({ train }: Definition, { permits, needed, cells, threads }: Capacity, problems: Problems): void {
  if (permits < needed) problems.add(fail('PERMITS_TOO_FEW', { needed, permits }), ['permits']);
  const micro = train?.microBatch;
  if (typeof cells === 'number' && typeof micro === 'number' && cells < 2 * micro + threads) {
    problems.add(fail('CELLS_TOO_FEW', { needed: 2 * micro + threads, cells }), ['cells']);
  }
}
