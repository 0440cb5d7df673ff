import { createHash } from 'node:crypto';
import { appendFileSync, existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RunLock } from '../datasets/run-lock.ts';
import type { Part } from '../datasets/sink.ts';
import { fail, messageOf, PatchstreamError } from '../errors.ts';
import type { Failure } from '../streams/failures.ts';
import type { StageStats } from '../streams/meter.ts';
import { differences } from '../train/differences.ts';
import type { RunSummary } from './events.ts';
import { redactRow, reveal, type Secret } from './redact.ts';

/** What a finished run leaves of itself, so that it is not run again by mistake. */
interface Finished {
  readonly format: 1;
  /** Of the resolved pipeline: another pipeline in the same folder is another run. */
  readonly digest: string;
  readonly summary: RunSummary;
}

/** The folder of a run: `pipeline.json`, `events.jsonl`, `quarantine.jsonl`, `finished.json` beside what sinks and trainers put there. */
export class RunFolder {
  readonly path: string;
  /** Of all that decides the results. */
  readonly digest: string;
  /** The same without the part: equal for all parts of a job. */
  readonly job: string;

  readonly #resolved: string;
  readonly #secrets: readonly Secret[];
  #lock: RunLock | undefined;

  private constructor(
    path: string,
    digests: { digest: string; job: string },
    resolved: string,
    secrets: readonly Secret[],
  ) {
    this.path = path;
    this.digest = digests.digest;
    this.job = digests.job;
    this.#resolved = resolved;
    this.#secrets = secrets;
  }

  /**
   * Makes the folder. Nothing in it is changed before `begin`.
   *
   * @param resolved the pipeline as JSON, without secrets. @param decisive what of it decides the results, with its true values. @param part of which
   * it is. @param secrets what must not stand in its files.
   * @throws OUTPUT_FOLDER when it cannot be made.
   */
  static async open(
    path: string,
    resolved: unknown,
    decisive: object,
    { part, secrets = [] }: { readonly part?: Part | undefined; readonly secrets?: readonly Secret[] } = {},
  ): Promise<RunFolder> {
    const digestOf = (value: object) => createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);
    const digests = { digest: digestOf({ ...decisive, part }), job: digestOf(decisive) };
    try {
      await mkdir(path, { recursive: true });
    } catch (cause) {
      throw fail('OUTPUT_FOLDER', { found: messageOf(cause) }, { where: path, cause });
    }
    return new RunFolder(path, digests, `${JSON.stringify(resolved, null, 2)}\n`, secrets);
  }

  /** The summary of an earlier run of this very pipeline that came to its end and whose files are there; undefined when there is none. */
  async finished(): Promise<RunSummary | undefined> {
    try {
      const text = await readFile(join(this.path, 'finished.json'), 'utf8');
      const { format, digest, summary } = JSON.parse(text) as Finished;
      if (format !== 1 || digest !== this.digest) return undefined;
      // The digest is of the true values, so these are the same.
      const files = summary.files.map((file) => reveal(file, this.#secrets));
      return files.every((file) => existsSync(file)) ? { ...summary, files } : undefined;
    } catch {
      return undefined;
    }
  }

  /**
   * What an earlier run of another pipeline has left here will be lost, in words; undefined where there was none. Of this pipeline nothing is
   * said: it makes the same again.
   */
  async replaces(): Promise<string | undefined> {
    const before = await readFile(join(this.path, 'pipeline.json'), 'utf8').catch(() => undefined);
    if (before === undefined) return undefined;
    try {
      const different = differences(decidingOf(JSON.parse(before)), decidingOf(JSON.parse(this.#resolved)));
      return different && `What an earlier run has left in ${this.path} is replaced: ${different}.`;
    } catch {
      return `What an earlier run has left in ${this.path} is replaced.`;
    }
  }

  /** Takes the folder for this process. @throws RUN_BUSY while another one that lives has it; OUTPUT_FOLDER. */
  async lock(): Promise<void> {
    try {
      this.#lock = await RunLock.take(join(this.path, 'run.lock'), this.path);
    } catch (cause) {
      if (cause instanceof PatchstreamError) throw cause;
      throw fail('OUTPUT_FOLDER', { found: messageOf(cause) }, { where: this.path, cause });
    }
  }

  async unlock(): Promise<void> {
    await this.#lock?.release();
  }

  /**
   * Begins a run that is sure to begin: the resolved pipeline is written, what an earlier run said of its end goes, and its failures
   * unless this one goes on from where it stood.
   */
  async begin({ goesOn }: { readonly goesOn: boolean }): Promise<void> {
    try {
      await writeFile(join(this.path, 'pipeline.json'), this.#resolved);
      await rm(join(this.path, 'finished.json'), { force: true });
      if (!goesOn) await rm(join(this.path, 'quarantine.jsonl'), { force: true });
    } catch (cause) {
      throw fail('OUTPUT_FOLDER', { found: messageOf(cause) }, { where: this.path, cause });
    }
    this.#append('events.jsonl', { event: 'start', digest: this.digest });
  }

  /** Takes the failures from `position` on out of the quarantine: a job that goes on there meets them again. Counts what is left, by stage. */
  async forgetFailures(position: number): Promise<ReadonlyMap<string, number>> {
    const path = join(this.path, 'quarantine.jsonl');
    const text = await readFile(path, 'utf8').catch(() => '');
    const counts = new Map<string, number>();
    if (text === '') return counts;
    const kept = text.split('\n').filter((line) => isBefore(line, position));
    for (const line of kept) {
      const { stage } = JSON.parse(line) as Failure;
      counts.set(stage, (counts.get(stage) ?? 0) + 1);
    }
    try {
      await writeFile(`${path}.tmp`, kept.map((line) => `${line}\n`).join(''));
      await rename(`${path}.tmp`, path);
      return counts;
    } catch (cause) {
      throw fail('OUTPUT_FOLDER', { found: messageOf(cause) }, { where: this.path, cause });
    }
  }

  /** Enters a failed sample. Synchronous: the row is there even if the process dies of the next one. */
  quarantine({ stage, key, position, epoch, error }: Failure): void {
    this.#append('quarantine.jsonl', { stage, key, position, epoch, error: messageOf(error) });
  }

  /** Enters something that happened. */
  tell(event: string, row: Record<string, unknown>): void {
    this.#append('events.jsonl', { event, ...row });
  }

  /** Enters how the run ended, with what every stage did. */
  ended(how: string, stats: readonly StageStats[]): void {
    this.#append('events.jsonl', { event: 'end', how, stats });
  }

  async finish(summary: RunSummary): Promise<void> {
    const finished: Finished = { format: 1, digest: this.digest, summary: redactRow(summary, this.#secrets) };
    const path = join(this.path, 'finished.json');
    try {
      await writeFile(`${path}.tmp`, `${JSON.stringify(finished, null, 2)}\n`);
      await rename(`${path}.tmp`, path);
    } catch (cause) {
      throw fail('OUTPUT_FOLDER', { found: messageOf(cause) }, { where: this.path, cause });
    }
  }

  #append(file: string, row: Record<string, unknown>): void {
    try {
      const safe = redactRow(row, this.#secrets);
      appendFileSync(join(this.path, file), `${JSON.stringify({ time: new Date().toISOString(), ...safe })}\n`);
    } catch (cause) {
      throw fail('OUTPUT_FOLDER', { found: messageOf(cause) }, { where: this.path, cause });
    }
  }
}

/** A resolved pipeline without what decides its speed alone. */
function decidingOf(resolved: unknown): unknown {
  const { permits: _p, threads: _t, ...rest } = resolved as Readonly<Record<string, unknown>>;
  return rest;
}

/** True for a whole row of a failure in front of `position`. */
function isBefore(line: string, position: number): boolean {
  try {
    return (JSON.parse(line) as Failure).position < position;
  } catch {
    return false;
  }
}
