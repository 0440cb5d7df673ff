import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A program that decodes whole files with libjpeg-turbo, and nothing else. */
export interface DecodePeer {
  /** The milliseconds of one pass over all files, which lie in memory. */
  pass(): Promise<number>;
  close(): void;
}

/**
 * Compiles bench/peers/loading/loader_decode.cc and starts it over `files`, one thread for each core.
 * @throws Error where there is no compiler or no libjpeg-turbo.
 */
export async function startDecoder(folder: string, files: readonly string[], threads: number): Promise<DecodePeer> {
  const source = fileURLToPath(new URL('loader_decode.cc', import.meta.url));
  const program = join(folder, 'loader_decode');
  execFileSync(process.env.CXX ?? 'g++', ['-O2', '-o', program, source, '-ljpeg', '-pthread'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const child = spawn(program, [String(threads), ...files], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async pass() {
      child.stdin.write('pass\n');
      const { value, done } = await lines.next();
      if (done) throw new Error('loader_decode ended without an answer.');
      return (JSON.parse(value) as { ms: number }).ms;
    },
    close: () => child.stdin.end(),
  };
}
