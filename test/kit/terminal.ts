import { main } from '../../src/cli/main.ts';

/** Runs the command line in this process and gives what it wrote and its exit code. `during` is handed a way to send a signal once something was written. */
export async function patchstream(
  args: readonly string[],
  {
    env = {},
    tty = false,
    during,
  }: { env?: Record<string, string>; tty?: boolean; during?: (send: (signal: string) => void) => void } = {},
) {
  const text = { out: '', err: '' };
  const listeners = new Map<string, Set<() => void>>();
  const heard = (name: string) => listeners.get(name) ?? new Set();
  let told = false;
  const write = (where: 'out' | 'err') => (part: string) => {
    text[where] += part;
    if (during && !told) {
      told = true;
      during((signal) => {
        for (const listener of heard(signal)) listener();
      });
    }
  };
  const code = await main(args, {
    stdout: { write: write('out'), isTTY: tty, columns: 100 },
    stderr: { write: write('err'), isTTY: tty, columns: 100 },
    env,
    on: (signal, listener) => listeners.set(signal, heard(signal).add(listener)),
    off: (signal, listener) => heard(signal).delete(listener),
    exit: (code) => {
      throw new Error(`exit ${code}`);
    },
  });
  return { code, ...text, listening: [...listeners.values()].reduce((sum, set) => sum + set.size, 0) };
}
