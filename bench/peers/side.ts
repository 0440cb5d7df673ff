import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { startedWith } from './environment.ts';

export type Answer = Readonly<Record<string, unknown>>;

export interface SideCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly environment?: NodeJS.ProcessEnv;
}

const living = new Set<Side>();

/** A side that stands still would outlive a bench that is ended, and never end. */
function closeAllAtTheEnd(): void {
  if (process.listeners('exit').includes(closeAll)) return;
  process.on('exit', closeAll);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
}

function closeAll(): void {
  for (const side of living) side.close();
}

/**
 * One side of a comparison in processes of its own, which stand still between its turns: what it would make ahead, or its threads that wait busily, take nothing from the side
 * whose turn it is. It answers lines of JSON with lines of JSON.
 */
export class Side {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #complaints = '';

  private constructor({ command, args, environment }: SideCommand) {
    // A group of its own: workers that it forks are stopped together with it.
    this.#child = spawn(command, args, {
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...startedWith, ...environment },
    });
    this.#child.on('error', (error) => {
      this.#complaints += error.message;
    });
    // Its end is seen where its answers end; a pipe that breaks says nothing more.
    this.#child.stdin!.on('error', () => undefined);
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#complaints = (this.#complaints + text).slice(-4000);
    });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  /** Starts it and gives its first line with it. @throws Error with its last complaint, when it ends before that. */
  static async start(command: SideCommand): Promise<{ side: Side; hello: Answer }> {
    closeAllAtTheEnd();
    const side = new Side(command);
    living.add(side);
    try {
      const hello = await side.#answer();
      side.#signal('SIGSTOP');
      return { side, hello };
    } catch (error) {
      side.close();
      throw error;
    }
  }

  /** Its answer to a request, for which alone it runs. @throws Error of its own. */
  async ask(request: object): Promise<Answer> {
    this.#signal('SIGCONT');
    try {
      this.#child.stdin!.write(`${JSON.stringify(request)}\n`);
      return await this.#answer();
    } finally {
      this.#signal('SIGSTOP');
    }
  }

  close(): void {
    living.delete(this);
    this.#signal('SIGKILL');
  }

  async #answer(): Promise<Answer> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(lastLine(this.#complaints) ?? 'It ended without an answer.');
    // Libraries print to stdout, too.
    if (!value.startsWith('{')) return this.#answer();
    const answer = JSON.parse(value) as Answer;
    if (typeof answer.error === 'string') throw new Error(answer.error);
    return answer;
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#child.pid === undefined || this.#child.exitCode !== null) return;
    try {
      process.kill(-this.#child.pid, signal);
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** The last line that names an error, else the last. */
function lastLine(text: string): string | undefined {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  return lines.findLast((line) => /^(\w*Error|ERROR)\b/.test(line)) ?? lines.at(-1);
}
