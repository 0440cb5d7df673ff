import { main } from '../../../src/cli/main.ts';

/** Runs the command line in this process and gives what it wrote and its exit code. Of `leaves` nobody reads more than what is written first. `during` is handed a way to send a signal once something was written. */
export async function patchstream(
  args: readonly string[],
  {
    env = {},
    tty = false,
    during,
    leaves,
  }: {
    env?: Record<string, string>;
    tty?: boolean;
    during?: (send: (signal: string) => void) => void;
    leaves?: readonly ('out' | 'err')[];
  } = {},
) {
  const text = { out: '', err: '' };
  const listeners = new Map<string, Set<() => void>>();
  const heard = (name: string) => listeners.get(name) ?? new Set();
  let told = false;
  const left = new Map<string, (error: Error) => void>();
  const output = (where: 'out' | 'err') => ({
    write: write(where),
    isTTY: tty,
    columns: 100,
    on: (_: 'error', listener: (error: Error) => void) => left.set(where, listener),
  });
  const write = (where: 'out' | 'err') => (part: string) => {
    text[where] += part;
    // A pipe takes what is written, and tells a moment later that nobody reads it.
    if (leaves?.includes(where))
      process.nextTick(() => left.get(where)?.(Object.assign(new Error(), { code: 'EPIPE' })));
    if (during && !told) {
      told = true;
      during((signal) => {
        for (const listener of heard(signal)) listener();
      });
    }
  };
  const code = await main(args, {
    stdout: output('out'),
    stderr: output('err'),
    env,
    on: (signal, listener) => listeners.set(signal, heard(signal).add(listener)),
    off: (signal, listener) => heard(signal).delete(listener),
    exit: (code) => {
      throw new Error(`exit ${code}`);
    },
  });
  return { code, ...text, listening: [...listeners.values()].reduce((sum, set) => sum + set.size, 0) };
}
