import { execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startedWith } from './environment.ts';

/** A Python process that answers lines of JSON with lines of JSON. */
export interface PythonPeer {
  /** The Python that was found. */
  readonly command: string;
  /** What it said when it began: versions, for the table. */
  readonly hello: Readonly<Record<string, unknown>>;
  /** Sends one request and waits for its answer. @throws Error with Python's own text. */
  ask(request: object): Promise<Readonly<Record<string, unknown>>>;
  close(): void;
  /** Ends it in the midst of what it does. */
  kill(): void;
}

/**
 * The first Python that has the modules named: `PYTHON`, `python3` as PATH finds it, Debian's.
 * @throws Error that says what to install.
 */
export function findPython(modules: readonly string[]): string {
  const candidates = [process.env.PYTHON, 'python3', '/usr/bin/python3'].filter((path) => path !== undefined);
  for (const candidate of candidates) {
    try {
      execFileSync(candidate, ['-c', `import ${modules.join(', ')}`], { stdio: 'ignore' });
      return candidate;
    } catch {
      // The next may have them.
    }
  }
  const wanted = modules.join(' and ');
  throw new Error(
    `None of ${candidates.join(', ')} has ${wanted}: \`apt-get install python3-torch\`, or name one in PYTHON.`,
  );
}

/** Starts `bench/<script>` and waits for its first line. */
export async function startPython(
  script: string,
  {
    modules = ['torch', 'numpy'],
    environment = {},
    args = [],
    python,
  }: {
    modules?: readonly string[];
    environment?: NodeJS.ProcessEnv;
    args?: readonly string[];
    /** In the place of one that is looked for. */
    python?: string;
  } = {},
): Promise<PythonPeer> {
  const path = fileURLToPath(new URL(`../${script}`, import.meta.url));
  const command = python ?? findPython(modules);
  const child = spawn(command, ['-B', path, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...startedWith, ...environment },
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${script} ended without an answer.`);
    const parsed = JSON.parse(value) as Readonly<Record<string, unknown>>;
    if (typeof parsed.error === 'string') throw new Error(`${script}: ${parsed.error}`);
    return parsed;
  };
  const hello = await answer();
  return {
    command,
    hello,
    ask: (request) => {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      return answer();
    },
    close: () => child.stdin.end(),
    kill: () => child.kill('SIGKILL'),
  };
}
