import { createHash } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { lstat, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, messageOf, PatchstreamError } from '../../errors.ts';
import type { EventOf, RunSummary, SampleFailure, Sum } from '../../events/events.ts';
import { type Notice, notice } from '../../events/notices.ts';
import { RunLock } from '../../files/run-lock.ts';
import { pipelineDifference } from '../../pipeline/difference.ts';
import { filesOfJobs, filesOfRuns } from '../../pipeline/file/own-files.ts';
import { redactRow, reveal, type Secret } from '../../pipeline/file/redact.ts';
import type { Part } from '../../sinks/sink.ts';
import type { StageStats } from '../../streams/meter.ts';
import {
  cannotWrite,
  endLine,
  FolderGuard,
  lockName,
  makeFolder,
  outputGone,
  removeEmpty,
  systemCode,
  unlessGone,
  writeWhole,
} from '../../whole-file.ts';
import { SourceRecord } from '../loader/source-files.ts';
import { finishedSummary, finishedText, goesOn, parsed } from './finished.ts';
import { checkOwned } from './own-names.ts';
import { type FailuresBefore, failuresBefore } from './quarantine.ts';

/** Why the lock of a finished run may stay. */
const leftThere = ['RUN_BUSY', 'RUN_LOCK', 'EACCES', 'EPERM', 'EROFS'];

/** The folder of a run: `pipeline.json`, `source.json`, `events.jsonl`, `quarantine.jsonl`, `finished.json` beside what sinks and trainers put there. */
export class RunFolder {
  readonly path: string;
  /** Of all that decides the results. */
  readonly digest: string;
  /** The same without the part: equal for all parts of a job. */
  readonly job: string;
  /** Of a run that watches its source: the digest of one that does not. */
  readonly unwatched: string | undefined;
  readonly source: SourceRecord;

  /** The resolved pipeline as JSON, without secrets. */
  readonly pipeline: Readonly<Record<string, unknown>>;
  readonly #secrets: readonly Secret[];
  /** The files and folders that the run writes here itself. */
  readonly #names: readonly string[];
  readonly #trouble = new AbortController();
  /** Whether an earlier run has taken all the names. */
  #owned = false;
  /** What is said before the run begins: nothing is written into a folder that it may never begin in. */
  #waiting: { readonly file: string; readonly row: Record<string, unknown> }[] | undefined = [];
  /** Files whose last line has been looked at. */
  readonly #appended = new Set<string>();
  /** The first folder of its path that was not there. */
  readonly #made: string | undefined;
  #lock: RunLock | undefined;
  #guard: FolderGuard | undefined;

  private constructor(
    path: string,
    digests: { digest: string; job: string; unwatched: string | undefined },
    resolved: unknown,
    secrets: readonly Secret[],
    names: readonly string[],
    made: string | undefined,
  ) {
    this.path = path;
    this.#made = made;
    this.digest = digests.digest;
    this.job = digests.job;
    this.unwatched = digests.unwatched;
    // As JSON has it: without what is not there.
    this.pipeline = JSON.parse(JSON.stringify(resolved)) as Readonly<Record<string, unknown>>;
    this.#names = names;
    this.#secrets = secrets;
    this.source = new SourceRecord(path, secrets);
  }

  /**
   * Makes the folder. Nothing in it is changed before `begin`.
   *
   * @param resolved the pipeline as JSON, without secrets. @param decisive what of it decides the results, with its true values. @param part of which
   * it is. @param secrets what must not stand in its files. @param names of all that it writes there itself. @param watch whether its source is watched.
   * @throws OUTPUT_FOLDER when it cannot be made.
   */
  static async open(
    path: string,
    resolved: unknown,
    decisive: object,
    {
      part,
      secrets = [],
      names = [...filesOfRuns, ...filesOfJobs],
      watch = false,
    }: { watch?: boolean; part?: Part | undefined; secrets?: readonly Secret[]; names?: readonly string[] } = {},
  ): Promise<RunFolder> {
    const digestOf = (value: object) => createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);
    const watched = { ...decisive, ...(watch && { watch: true }) };
    const digests = {
      digest: digestOf({ ...watched, part }),
      job: digestOf(watched),
      unwatched: watch ? digestOf({ ...decisive, part }) : undefined,
    };
    try {
      return new RunFolder(path, digests, resolved, secrets, names, await makeFolder(path));
    } catch (cause) {
      throw fail('OUTPUT_FOLDER', { found: messageOf(cause) }, { where: path, cause });
    }
  }

  /**
   * What could not be written here while the run went; undefined where all could. The run ends as soon as `trouble` says so: it is heard of where
   * something is written, which may be a timer or the failure of a sample.
   */
  get error(): PatchstreamError | undefined {
    return this.#trouble.signal.reason as PatchstreamError | undefined;
  }

  /** Whether the folder is the run's still: where it is not, that is the error, whatever else came of it. */
  look(): void {
    this.#guarded(this.path, () => {});
  }

  get trouble(): AbortSignal {
    return this.#trouble.signal;
  }

  /** The summary of an earlier run of this very pipeline that came to its end and whose files are there; undefined when there is none. */
  async finished(): Promise<RunSummary | undefined> {
    const summary = finishedSummary(await this.#read('finished.json'), this.digest);
    if (summary === undefined || goesOn(summary, parsed(await this.#read('pipeline.json')), this.pipeline))
      return undefined;
    // The digest is of the true values, so these are the same.
    const files = summary.files.map((file) => reveal(file, this.#secrets));
    try {
      for (const file of files) if ((await stat(file).catch(unlessGone)) === undefined) return undefined;
    } catch (cause) {
      throw this.#unusable(cause);
    }
    return { ...summary, files };
  }

  /**
   * What an earlier run of another pipeline has left here will be lost; undefined where there was none. Of this pipeline nothing is
   * said: it makes the same again.
   */
  async replaces(): Promise<Notice | undefined> {
    const text = await this.#read('pipeline.json');
    if (text === undefined) return undefined;
    const before = parsed<Readonly<Record<string, unknown>>>(text);
    if (before === undefined) return notice('OUTPUT_REPLACED', { folder: this.path, why: '' });
    const different = pipelineDifference(before, this.pipeline);
    return different ? notice('OUTPUT_REPLACED', { folder: this.path, why: `: ${different}` }) : undefined;
  }

  /** What differs from the pipeline that has left its results here, in words; undefined where none has, or nothing that is written down differs. */
  async difference(): Promise<string | undefined> {
    const before = parsed<Readonly<Record<string, unknown>>>(await this.#read('pipeline.json'));
    return before && pipelineDifference(before, this.pipeline);
  }

  /** Takes the folder for this process. @throws RUN_BUSY while another one that lives has it; OUTPUT_OTHER, RUN_LOCK, OUTPUT_FOLDER. */
  async lock(): Promise<void> {
    const onLost = () => this.#fail(outputGone(this.path));
    try {
      this.#lock = await RunLock.take(join(this.path, lockName), this.path, { onLost });
      this.#guard = new FolderGuard(this.path);
      this.#owned = await checkOwned(this.path, this.#names);
    } catch (cause) {
      await Promise.allSettled([this.unlock()]);
      throw this.#unusable(cause);
    }
  }

  /** Of a run that was killed once it had its result, the lock is still there. Whoever lives and has it keeps it. */
  async sweep(): Promise<void> {
    const path = join(this.path, lockName);
    if ((await lstat(path).catch(unlessGone)) === undefined) return;
    try {
      await (await RunLock.take(path, this.path)).release();
    } catch (error) {
      // Another run has it, something else is in its place, or nothing can be changed here: the result is there all the same.
      if (!leftThere.includes(error instanceof PatchstreamError ? error.code : (systemCode(error) ?? ''))) throw error;
    }
  }

  /** Gives the folder back. Of a run that never began no folder stays that was made for it. */
  async unlock(): Promise<void> {
    try {
      await this.#lock?.release();
      if (this.#waiting !== undefined && this.#made !== undefined) await removeEmpty(this.path, this.#made);
    } catch (cause) {
      throw this.#unusable(cause);
    }
  }

  /**
   * Begins a run that is sure to begin: the resolved pipeline is written, what an earlier run said of its end goes, and its failures
   * unless this one goes on from where it stood. From now on the names of what it writes are the run's.
   */
  async begin({ resumed }: { readonly resumed: boolean }): Promise<void> {
    this.#append('events.jsonl', { event: 'start', digest: this.digest }, { files: this.#names });
    if (this.error) throw this.error;
    try {
      await writeWhole(join(this.path, 'pipeline.json'), `${JSON.stringify(this.pipeline, null, 2)}\n`);
      await rm(join(this.path, 'finished.json'), { force: true });
      if (!resumed) await rm(join(this.path, 'quarantine.jsonl'), { force: true });
    } catch (cause) {
      throw this.#unusable(cause);
    }
    this.#flush();
  }

  /**
   * Takes the failures from `position` on out of the quarantine: a job that goes on there meets them again, as it does that of a last line which a kill
   * has cut. Counts what is left, by stage, how many positions it is of, and the lines that cannot be read, which stay.
   */
  async forgetFailures(position: number): Promise<Omit<FailuresBefore, 'kept'>> {
    const { kept, ...found } = failuresBefore((await this.#read('quarantine.jsonl')) ?? '', position);
    if (kept !== undefined) await this.#write('quarantine.jsonl', kept);
    return found;
  }

  /** Enters a failed sample. Synchronous: the row is there even if the process dies of the next one. */
  quarantine({ stage, key, position, epoch, error }: Omit<SampleFailure, 'type'>): void {
    this.#enter('quarantine.jsonl', { stage, key, position, epoch, error });
  }

  /** Enters something that happened. */
  record(event: string, row: Record<string, unknown>): void {
    this.#enter('events.jsonl', { event, ...row });
  }

  #enter(file: string, row: Record<string, unknown>): void {
    if (this.#waiting === undefined) this.#append(file, row);
    else this.#waiting.push({ file, row: { time: new Date().toISOString(), ...row } });
  }

  /** Enters how the run ended, with what every stage did, and how its samples ended, as far as they are known. One that never began says so only where an earlier one has. */
  ended(how: EventOf<'finished'>['how'], stats: readonly StageStats[], sum?: Sum): void {
    if (this.#waiting !== undefined && !this.#owned) return;
    this.#flush();
    this.#append('events.jsonl', { event: 'end', how, ...(sum && { sum }) }, { stats });
  }

  #flush(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const { file, row } of waiting) this.#append(file, row);
  }

  async finish(summary: RunSummary): Promise<void> {
    await this.#write('finished.json', finishedText(this.digest, summary, this.#secrets));
  }

  async #write(file: string, text: string): Promise<void> {
    this.#guard?.check();
    await writeWhole(join(this.path, file), text);
  }

  /** Nothing where there is no such file. */
  async #read(file: string): Promise<string | undefined> {
    try {
      return await readFile(join(this.path, file), 'utf8').catch(unlessGone);
    } catch (cause) {
      throw this.#unusable(cause);
    }
  }

  /**
   * Never throws: who calls it may be nobody that the run waits for.
   *
   * @param ours what of the row are names of ours, which programs read again: no secret is looked for in them.
   */
  #append(file: string, row: Record<string, unknown>, ours: Record<string, unknown> = {}): void {
    const path = join(this.path, file);
    this.#guarded(path, () => {
      const safe = redactRow(row, this.#secrets);
      const before = this.#appended.has(file) ? '' : endLine(path);
      appendFileSync(path, `${before}${JSON.stringify({ time: new Date().toISOString(), ...safe, ...ours })}\n`);
      // What could not be written may have left a part of a line.
      this.#appended.add(file);
    });
  }

  #guarded(path: string, work: () => void): void {
    try {
      this.#guard?.check();
      work();
    } catch (cause) {
      this.#fail(cannotWrite(path, cause, 'FILE_WRITE'));
    }
  }

  #fail(error: PatchstreamError): void {
    if (!this.#trouble.signal.aborted) this.#trouble.abort(error);
  }

  #unusable(cause: unknown): PatchstreamError {
    if (cause instanceof PatchstreamError) return cause;
    return fail('OUTPUT_FOLDER', { found: messageOf(cause) }, { where: this.path, cause });
  }
}
