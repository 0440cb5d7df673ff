import { existsSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PythonPeer, startPython } from '../peers/python.ts';
import { makePhotos } from './files.ts';

export const cores = availableParallelism();
/** How many photographs there are. */
export const photos = 1024;

/** What the rows share. Files are made when the first row wants them. */
export class Bench {
  readonly folder = mkdtempSync(join(placeForFiles(), 'patchstream-loader-'));
  readonly notes: string[] = [];
  #names: Promise<readonly string[]> | undefined;
  readonly #pythons = new Map<number, Promise<PythonPeer>>();

  readonly photos = join(this.folder, 'photos');

  /** Makes the photographs and answers their names. */
  files(): Promise<readonly string[]> {
    this.#names ??= makePhotos(this.photos, photos);
    return this.#names;
  }

  /** A Python whose products run on so many threads: NumPy's library takes the number from its environment when it begins. */
  python(threads = cores): Promise<PythonPeer> {
    let python = this.#pythons.get(threads);
    if (python === undefined) {
      python = this.#start(threads);
      this.#pythons.set(threads, python);
    }
    return python;
  }

  async #start(threads: number): Promise<PythonPeer> {
    const environment = Object.fromEntries(threadVariables.map((name) => [name, String(threads)]));
    const python = await startPython('peers/loading/loader.py', { modules: ['torch', 'PIL', 'numpy'], environment });
    const { torch, torchvision, pillow, opencv, numpy } = python.hello;
    const note = `Python: torch ${torch}, torchvision ${torchvision}, Pillow ${pillow}, OpenCV ${opencv}, NumPy ${numpy} (${python.command}).`;
    if (!this.notes.includes(note)) this.notes.push(note);
    return python;
  }

  async close(): Promise<void> {
    for (const python of this.#pythons.values()) (await python.catch(() => undefined))?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * Where files lie in memory, where there is such a place with room enough: from the system's cache of a disk pages can vanish within seconds, as they do on
 * virtual machines whose host wants the memory, and then one side waits for the disk.
 */
function placeForFiles(): string {
  const memory = '/dev/shm';
  if (!existsSync(memory)) return tmpdir();
  const { bavail, bsize } = statfsSync(memory);
  return bavail * bsize >= 2 ** 31 ? memory : tmpdir();
}

/** Where OpenBLAS, MKL, BLIS and OpenMP look. */
const threadVariables = ['OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS', 'BLIS_NUM_THREADS', 'OMP_NUM_THREADS'];
