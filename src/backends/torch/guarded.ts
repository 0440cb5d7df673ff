import { fail } from '../../errors.ts';

/**
 * Calls into the addon, and turns what it throws for want of memory into our own error. Everything else it throws is a mistake of the caller, told
 * by libtorch's own words.
 *
 * @throws BACKEND_MEMORY when memory could not be had.
 */
export function guarded<T>(device: string, call: () => T): T {
  try {
    return call();
  } catch (cause) {
    throw outOfMemory(device, cause) ?? cause;
  }
}

/** As `guarded`, for what the addon does later. */
export async function guardedLater<T>(device: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw outOfMemory(device, cause) ?? cause;
  }
}

/** How the host's allocator, and those of devices, say how much could not be had. */
const allocation = /allocate ([\d.]+) (bytes|KiB|MiB|GiB|KB|MB|GB)/;
const bytesOf = (unit: string): number =>
  (unit.endsWith('iB') ? 1024 : 1000) ** ['b', 'K', 'M', 'G'].indexOf(unit[0] ?? '');

/** BACKEND_MEMORY for an addon's error about memory, else undefined. */
export function outOfMemory(device: string, cause: unknown): Error | undefined {
  if (!(cause instanceof Error) || (cause as NodeJS.ErrnoException).code !== 'OUT_OF_MEMORY') return undefined;
  const [, amount, unit] = allocation.exec(cause.message) ?? [];
  const bytes = Number(amount) * bytesOf(unit ?? '');
  const needed = Number.isNaN(bytes) ? 'more' : `${Math.ceil(bytes / 2 ** 20)} MiB more`;
  return fail('BACKEND_MEMORY', { backend: 'torch', needed, memory: `the memory of ${device}` }, { cause });
}
