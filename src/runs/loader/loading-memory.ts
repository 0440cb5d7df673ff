import { machine } from '../../machine.ts';
import type { Resolved } from '../../pipeline/resolve/resolve.ts';
import type { OpenSource } from '../../sources/source.ts';
import { pictureFormats } from '../../vision/headers/formats.ts';
import { openPicture } from '../../vision/open.ts';
import { Picture } from '../../vision/picture.ts';
import { readAheadBytes } from './reading.ts';

/** Samples that are looked at, at equal distances in the listing. */
const looked = 8;

/**
 * Bytes that the loader may take, by some of its pictures: a file for each permit, as many as may be read ahead, and decoded pixels for each thread. Nothing where the process may use the whole
 * memory of its machine: then nobody asks.
 */
export async function loadingBytes(
  source: Pick<OpenSource, 'count' | 'read'>,
  { permits, mostPermits, threads }: Pick<Resolved['capacity'], 'permits' | 'mostPermits' | 'threads'>,
  signal: AbortSignal,
  { memory, whole } = machine(),
): Promise<number | undefined> {
  if (whole === undefined || memory >= whole.memory) return undefined;
  const count = Math.min(looked, Number.isFinite(source.count) ? source.count : 1);
  let [file, pixels] = [0, 0];
  for (let i = 0; i < count; i++) {
    const index = Number.isFinite(source.count) ? Math.floor((i * source.count) / count) : i;
    const found = await sizesOf(source, index, signal);
    file = Math.max(file, found.file);
    pixels = Math.max(pixels, found.pixels);
  }
  const files = Math.max(permits * file, Math.min(mostPermits * file, readAheadBytes({ memory })));
  return files + threads * pixels;
}

async function sizesOf(source: Pick<OpenSource, 'read'>, index: number, signal: AbortSignal) {
  try {
    const { bytes, picture } = await source.read(index, signal);
    const encoded = bytes instanceof Uint8Array ? bytes : undefined;
    const opened = encoded === undefined ? picture : await openPicture(encoded, { formats: pictureFormats });
    const pixels = opened instanceof Picture ? 3 * opened.width * opened.height : 0;
    return { file: encoded?.length ?? 0, pixels };
  } catch (error) {
    // It fails again as a sample, which is then counted and has its reason.
    if (signal.aborted) throw error;
    return { file: 0, pixels: 0 };
  }
}
