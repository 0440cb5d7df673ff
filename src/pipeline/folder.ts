import { createHash } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fail, messageOf } from '../errors.ts';
import type { Failure } from '../streams/failures.ts';
import type { StageStats } from '../streams/meter.ts';
import type { RunSummary } from './events.ts';

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
  readonly #digest: string;

  private constructor(path: string, digest: string) {
    this.path = path;
    this.#digest = digest;
  }

  /**
   * Makes the folder and writes the resolved pipeline into it.
   *
   * @param resolved the pipeline as JSON, without secrets. @param decisive the part of it that decides the results.
   * @throws OUTPUT_FOLDER when it cannot be made or written.
   */
  static async open(path: string, resolved: unknown, decisive: unknown): Promise<RunFolder> {
    const text = `${JSON.stringify(resolved, null, 2)}\n`;
    const digest = createHash('sha256').update(JSON.stringify(decisive)).digest('hex').slice(0, 16);
    try {
      await mkdir(path, { recursive: true });
      await writeFile(join(path, 'pipeline.json'), text);
    } catch (cause) {
      throw fail('OUTPUT_FOLDER', { found: messageOf(cause) }, { where: path, cause });
    }
    return new RunFolder(path, digest);
  }

  /** The summary of an earlier run of this very pipeline that came to its end; undefined when there is none. */
  async finished(): Promise<RunSummary | undefined> {
    try {
      const { format, digest, summary } = JSON.parse(
        await readFile(join(this.path, 'finished.json'), 'utf8'),
      ) as Finished;
      return format === 1 && digest === this.#digest ? summary : undefined;
    } catch {
      return undefined;
    }
  }

  /** Begins a run: what an earlier one said of its end goes, and its failures unless this one may go on from where it stood. */
  async begin({ goesOn }: { readonly goesOn: boolean }): Promise<void> {
    await rm(join(this.path, 'finished.json'), { force: true });
    if (!goesOn) await rm(join(this.path, 'quarantine.jsonl'), { force: true });
    this.#append('events.jsonl', { event: 'start', digest: this.#digest });
  }

  /** Enters a failed sample. Synchronous: the row is there even if the process dies of the next one. */
  quarantine({ stage, key, position, epoch, error }: Failure): void {
    this.#append('quarantine.jsonl', { stage, key, position, epoch, error: messageOf(error) });
  }

  /** Enters how the run ended, with what every stage did. */
  ended(how: string, stats: readonly StageStats[]): void {
    this.#append('events.jsonl', { event: 'end', how, stats });
  }

  async finish(summary: RunSummary): Promise<void> {
    const finished: Finished = { format: 1, digest: this.#digest, summary };
    const path = join(this.path, 'finished.json');
    await writeFile(`${path}.tmp`, `${JSON.stringify(finished, null, 2)}\n`);
    await rename(`${path}.tmp`, path);
  }

  #append(file: string, row: Record<string, unknown>): void {
    try {
      appendFileSync(join(this.path, file), `${JSON.stringify({ time: new Date().toISOString(), ...row })}\n`);
    } catch (cause) {
      throw fail('OUTPUT_FOLDER', { found: messageOf(cause) }, { where: this.path, cause });
    }
  }
}
