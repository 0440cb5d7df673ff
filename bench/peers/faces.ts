import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A face as dlib answers it: left, top, width, height, confidence, and where they are asked for x and y of its landmarks. */
export type PlainFace = readonly [
  left: number,
  top: number,
  width: number,
  height: number,
  confidence: number,
  ...landmarks: number[],
];

/** dlib's detector, called plainly, in processes of its own. */
export interface PlainDlib {
  /** The faces of every JPEG, in the order of the paths; a process that is free takes the next. */
  detect(paths: readonly string[]): Promise<PlainFace[][]>;
  close(): void;
}

/**
 * Compiles bench/peers/faces_dlib.cc without flags for a machine, and starts it so many times. With `model`, the file of one, it finds landmarks too.
 * @throws Error where there is no compiler, no dlib or no libjpeg.
 */
export async function startDlib(folder: string, processes: number, model?: string): Promise<PlainDlib> {
  const source = fileURLToPath(new URL('faces_dlib.cc', import.meta.url));
  const program = join(folder, 'faces_dlib');
  // Debian's libdlib wants LAPACK and BLAS of whoever links a program to it, and its development package does not bring the names without a number.
  const libraries = ['-ldlib', '-ljpeg', '-l:liblapack.so.3', '-l:libblas.so.3', '-pthread'];
  execFileSync(process.env.CXX ?? 'g++', ['-O3', '-std=c++17', '-o', program, source, ...libraries], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const running = Array.from({ length: processes }, () => {
    const child = spawn(program, model === undefined ? [] : [model], { stdio: ['pipe', 'pipe', 'inherit'] });
    return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
  });
  return {
    async detect(paths) {
      const found: PlainFace[][] = [];
      let next = 0;
      await Promise.all(
        running.map(async ({ child, lines }) => {
          while (next < paths.length) {
            const index = next++;
            child.stdin.write(`${paths[index]}\n`);
            const { value, done } = await lines.next();
            if (done) throw new Error(`faces_dlib ended at ${paths[index]}.`);
            found[index] = JSON.parse(value) as PlainFace[];
          }
        }),
      );
      return found;
    },
    close() {
      for (const { child } of running) child.stdin.end();
    },
  };
}
