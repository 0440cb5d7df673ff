import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, PatchstreamError } from '../errors.ts';
import { builtin } from '../pipeline/builtin.ts';
import { soundPipeline } from '../pipeline/check.ts';
import type { Definition } from '../pipeline/definition.ts';
import { inProse, redactProse, redactRow, type Secret } from '../pipeline/file/redact.ts';
import { partFolder } from '../pipeline/part.ts';
import type { Registry } from '../pipeline/registry.ts';
import type { Resolved } from '../pipeline/resolve/resolve.ts';
import { resolvedJson, trueJson } from '../pipeline/resolve/resolved-json.ts';
import type { Part } from '../sinks/sink.ts';
import { unlessGone } from '../whole-file.ts';
import type { RunContext, Watching } from './context.ts';
import type { RunEvent, RunSummary } from './events.ts';
import { RunFolder } from './folder.ts';
import { namesOf } from './own-names.ts';
import { runJob } from './run-job.ts';
import { runTraining } from './training/run-training.ts';

export interface RunOptions {
  /** Aborted, the run ends as soon as what is under way is safe, and throws RUN_CANCELLED with the signal's reason. */
  readonly signal?: AbortSignal;
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
  const resolved = soundPipeline(definition, options.registry ?? definition.registry ?? builtin);
  const watch = watchingOf(options.watch);
  if (part !== undefined) checkParts(resolved);
  if (watch !== undefined) checkWatch(resolved, part);
  const { output, origin } = definition;
  const secrets = origin?.secrets ?? [];
  const decisive = { ...trueJson(resolved), code: await codeOf(definition), ...(watch && { watch: true }) };
  const place = part ? join(output, partFolder(part)) : output;
  const folder = await RunFolder.open(place, resolvedJson(resolved), decisive, {
    part,
    secrets,
    names: namesOf(resolved),
  });
  const before = fresh || watch ? undefined : await folder.finished();
  if (before !== undefined) {
    await folder.sweep();
    return { ...before, earlier: true };
  }
  await folder.lock();
  let summary: RunSummary;
  try {
    const ending = AbortSignal.any([signal, folder.trouble]);
    const telling = heard(folder, (event) => options.onEvent?.(redactRow(event, secrets)));
    const context: RunContext = {
      folder,
      signal: ending,
      onEvent: telling,
      fresh,
      ...(part && { part }),
      ...(watch && { watch }),
    };
    summary = await (resolved.train === undefined ? runJob(resolved, context) : runTraining(resolved, context));
    if (folder.error) throw folder.error;
    // What is watched has no end.
    if (watch === undefined) await folder.finish(summary);
  } catch (error) {
    // The cause is what is to be heard, not what came of it.
    await Promise.allSettled([folder.unlock()]);
    throw withoutSecrets(folder.error ?? error, secrets);
  }
  await folder.unlock();
  return summary;
}

/** What is said to who listens is in `events.jsonl` too: they may have gone. */
function heard(folder: RunFolder, onEvent: (event: RunEvent) => void): (event: RunEvent) => void {
  return (event) => {
    if (event.type === 'line') folder.tell('line', { text: event.text });
    onEvent(event);
  };
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
  if (!sink?.definition.parts) {
    throw fail('WATCH_SINK', { found: train === undefined ? `the sink ${sink?.name}` : 'a training' });
  }
  if (source?.definition.watch === undefined) throw fail('WATCH_SOURCE', { found: source?.name ?? 'no source' });
}

/** What a digest of the pipeline cannot see otherwise: the text of the modules that it is written in, or that it uses. */
async function codeOf({ file, uses = [], stages }: Definition): Promise<string[]> {
  const written = file !== undefined && /\.m?[jt]s$/.test(file) ? [file] : [];
  const texts = await Promise.all([...written, ...uses].map((path) => readFile(path, 'utf8').catch(unlessGone)));
  const inline = stages.map(({ stage }) => (stage.kind === 'each' ? String(stage.work) : ''));
  return [...texts.map((text) => text ?? ''), ...inline];
}
