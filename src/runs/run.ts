import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, messageOf, PatchstreamError, valueText } from '../errors.ts';
import type { Finished, RunEvent, RunSummary } from '../events/events.ts';
import { withCauses } from '../own-code.ts';
import { builtin } from '../pipeline/builtin.ts';
import { soundPipeline } from '../pipeline/check.ts';
import type { Definition } from '../pipeline/definition.ts';
import type { Beside } from '../pipeline/difference.ts';
import { inProse, redactProse, redactRow, type Secret } from '../pipeline/file/redact.ts';
import { partFolder } from '../pipeline/part.ts';
import type { Registry } from '../pipeline/registry.ts';
import type { Resolved } from '../pipeline/resolve/resolve.ts';
import { resolvedJson, trueJson } from '../pipeline/resolve/resolved-json.ts';
import type { Part } from '../sinks/sink.ts';
import { Trackers } from '../trackers/feed.ts';
import { unlessGone } from '../whole-file.ts';
import type { RunContext, Watching } from './context.ts';
import { EventHub } from './events/hub.ts';
import { Listener } from './events/listener.ts';
import { logOf } from './events/log.ts';
import { RunFolder } from './folder/folder.ts';
import { namesOf } from './folder/own-names.ts';
import { runJob } from './run-job.ts';
import { runTraining } from './training/run-training.ts';

export interface RunOptions {
  /** Aborted, the run ends as soon as what is under way is safe, and throws RUN_CANCELLED with the signal's reason. */
  readonly signal?: AbortSignal;
  /**
   * Hears all events of the run, `finished` last. It is called at once, in the run's thread: what it does, the run waits for; what it throws ends the run, and it
   * hears no more.
   */
  readonly onEvent?: (event: RunEvent) => void;
  /** What the pipeline's names stand for. Default: as in its file, else `builtin`. */
  readonly registry?: Registry;
  /** Runs again what has been run to its end, and trains from the beginning. */
  readonly fresh?: boolean;
  /** The part of a job that this run does, beside others that do the rest: `{ index: 2, of: 8 }`. */
  readonly part?: Part;
  /**
   * Goes on for ever: takes what arrives in the source's folder, until `signal` is aborted, which is then the run's good end. `true` looks every 2 seconds
   * and closes a file of the sink after 30 seconds without a new sample.
   */
  readonly watch?: boolean | Partial<Watching>;
}

/**
 * Runs a pipeline to its end: a job into its sink, or a training. What has been run to its end is not run again, but told.
 *
 * @throws PIPELINE_PROBLEMS; PART_SINK, WATCH_SINK, WATCH_SOURCE; RUN_CANCELLED; what ends the run.
 */
export async function run(definition: Definition, options: RunOptions = {}): Promise<RunSummary> {
  const { signal = new AbortController().signal, fresh = false, part } = options;
  if (typeof definition !== 'object' || definition === null)
    throw fail('PIPELINE_VALUE', { found: valueText(definition) });
  const resolved = soundPipeline(definition, options.registry ?? definition.registry ?? builtin);
  const watch = watchingOf(options.watch);
  if (part !== undefined) checkParts(resolved);
  if (watch !== undefined) checkWatch(resolved, part);
  const secrets = definition.origin?.secrets ?? [];
  const folder = await folderOf(resolved, { part, watch });
  const place = folder.path;
  const before = fresh || watch ? undefined : await folder.finished();
  if (before !== undefined) {
    await folder.sweep();
    const changed = await folder.source.changeSince();
    const lines = [...before.lines, ...(changed === undefined ? [] : [changed])];
    const summary: RunSummary = { ...before, lines, earlier: true };
    const last: Finished = { type: 'finished', how: 'completed', summary, stats: [] };
    options.onEvent?.(redactRow({ ...last, ...(summary.sum && { sum: summary.sum }) }, secrets));
    return summary;
  }
  await folder.lock();
  const events = new EventHub();
  const trackers = new Trackers(resolved.track ?? [], { folder: place, base: definition.base, notice: events.notice });
  const listener = new Listener(options.onEvent);
  events.listen(logOf(folder));
  events.listen((event) => {
    const safe = redactRow(event, secrets);
    if (event.type !== 'finished') trackers.hear(safe);
    listener.hear(safe);
  });
  const context: RunContext = {
    folder,
    signal: AbortSignal.any([signal, folder.trouble, listener.signal]),
    events,
    fresh,
    ...(part && { part }),
    ...(watch && { watch }),
    account: { stats: [] },
  };
  const { cause, ...ended } = await outcomeOf(resolved, context, listener, secrets);
  const last: Finished = { type: 'finished', ...ended, ...context.account };
  try {
    // Trackers hear it first, so that notices about them come before the last event.
    await trackers.end(redactRow(last, secrets));
    events.emit(last);
  } finally {
    // The cause is what is to be heard, not what came of it.
    const unlocked = folder.unlock();
    await (cause === undefined ? unlocked : Promise.allSettled([unlocked]));
  }
  const error = cause ?? withoutSecrets(folder.error, secrets);
  if (error !== undefined) throw error;
  // It may have failed at the very last event.
  if (listener.failure) throw listener.failure.error;
  return ended.summary!;
}

/** What a run of this very pipeline has left that came to its end; nothing where there was none. Changes nothing. @throws PIPELINE_PROBLEMS, OUTPUT_FOLDER */
export async function finishedRun(definition: Definition, registry: Registry): Promise<RunSummary | undefined> {
  if ((await stat(definition.output).catch(unlessGone)) === undefined) return undefined;
  return (await folderOf(soundPipeline(definition, registry), {})).finished();
}

/** What differs from the pipeline that has left its run in the folder of this one, in words; nothing where there was none, or the same. Changes nothing. @throws PIPELINE_PROBLEMS, OUTPUT_FOLDER */
export async function changedSince(definition: Definition, registry: Registry): Promise<string | undefined> {
  if ((await stat(definition.output).catch(unlessGone)) === undefined) return undefined;
  return (await folderOf(soundPipeline(definition, registry), {})).difference();
}

async function folderOf(
  resolved: Resolved,
  { part, watch }: { readonly part?: Part | undefined; readonly watch?: Watching | undefined },
): Promise<RunFolder> {
  const { definition } = resolved;
  const decisive = { ...trueJson(resolved), code: await codeOf(definition) };
  const place = part ? join(definition.output, partFolder(part)) : definition.output;
  return RunFolder.open(place, { ...resolvedJson(resolved), ...besideOf(resolved, watch) }, decisive, {
    part,
    secrets: definition.origin?.secrets ?? [],
    names: namesOf(resolved),
    watch: watch !== undefined,
  });
}

type Outcome = Pick<Finished, 'how' | 'summary' | 'error'> & { readonly cause?: unknown };

/** Runs to the end, whatever that is. */
async function outcomeOf(
  resolved: Resolved,
  context: RunContext,
  listener: Listener,
  secrets: readonly Secret[],
): Promise<Outcome> {
  const { folder, signal, watch } = context;
  try {
    const summary = await (resolved.train === undefined ? runJob(resolved, context) : runTraining(resolved, context));
    if (folder.error) throw folder.error;
    if (listener.failure) throw listener.failure.error;
    folder.ended('completed', context.account.stats, context.account.sum);
    // What is watched has no end.
    if (watch === undefined) await folder.finish(summary);
    return { how: 'completed', summary };
  } catch (error) {
    folder.look();
    const found = folder.error ?? (listener.failure ?? { error }).error ?? new Error('thrown without a reason');
    const cause = withoutSecrets(found, secrets);
    const code = cause instanceof PatchstreamError ? cause.code : undefined;
    const asked = signal.aborted && folder.error === undefined && listener.failure === undefined;
    const isCancelled =
      code === 'RUN_CANCELLED' ||
      (asked && (resolved.train !== undefined || withCauses(error).includes(signal.reason)));
    const how = isCancelled ? 'cancelled' : 'failed';
    folder.ended(how, context.account.stats, context.account.sum);
    return { how, error: { ...(code && { code }), message: messageOf(cause) }, cause };
  }
}

/** An error that quotes a value of the environment, without it. */
function withoutSecrets(error: unknown, secrets: readonly Secret[]): unknown {
  if (!(error instanceof PatchstreamError) || error.name !== 'PatchstreamError') return error;
  const { code, text, where, cause, ends } = error;
  const [safe, place] = [redactProse(text, inProse(secrets)), where && redactProse(where, inProse(secrets))];
  return safe === text && place === where ? error : new PatchstreamError(code, safe, place, cause, ends);
}

/** A training is one run, and a sink has to name its files so that parts do not write the same. */
function checkParts({ sink, train }: Resolved): void {
  if (sink?.definition.parts) return;
  throw fail('PART_SINK', { found: train === undefined ? `the sink ${sink?.name}` : 'a training' });
}

function watchingOf(watch: RunOptions['watch']): Watching | undefined {
  if (watch === undefined || watch === false) return undefined;
  return { everySeconds: 2, idleSeconds: 30, ...(watch !== true && watch) };
}

/** What a kill must not lose is gone on with. */
function checkWatch({ sink, source, train }: Resolved, part: Part | undefined): void {
  if (part !== undefined) throw fail('WATCH_SINK', { found: `part ${part.index} of ${part.of}` });
  if (!sink?.definition.parts && !sink?.definition.watched) {
    throw fail('WATCH_SINK', { found: train === undefined ? `the sink ${sink?.name}` : 'a training' });
  }
  if (source?.definition.watch === undefined) throw fail('WATCH_SOURCE', { found: source?.name ?? 'no source' });
}

/** What makes a job another one beside its pipeline, so that a later run can say what differs. */
function besideOf({ stages }: Resolved, watch: Watching | undefined): Beside {
  const models = Object.fromEntries(
    stages.flatMap(({ id, identity = [] }) => (identity.length > 0 ? [[id, identity.join()]] : [])),
  );
  return { ...(watch && { watch: true }), ...(Object.keys(models).length > 0 && { models }) };
}

/** What a digest of the pipeline cannot see otherwise: the text of the modules that it is written in, or that it uses. */
async function codeOf({ file, uses = [], stages }: Definition): Promise<string[]> {
  const written = file !== undefined && /\.m?[jt]s$/.test(file) ? [file] : [];
  const texts = await Promise.all([...written, ...uses].map((path) => readFile(path, 'utf8').catch(unlessGone)));
  const inline = stages.map(({ stage }) => (stage.kind === 'each' ? String(stage.work) : ''));
  return [...texts.map((text) => text ?? ''), ...inline];
}
