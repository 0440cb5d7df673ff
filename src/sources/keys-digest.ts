import { createHash } from 'node:crypto';

/** Of keys in the order of positions: these mean the same samples only where it is the same. */
export function keysDigest(keys: Iterable<string>): string {
  const hash = createHash('sha256');
  for (const key of keys) hash.update(`${key}\n`);
  return hash.digest('hex').slice(0, 16);
}
