import { systemCode } from '../whole-file.ts';

export { systemCode };

/** Answers an error of one of these codes with `value`; every other is thrown on. */
export function only<T>(codes: readonly string[], value: T): (error: unknown) => T {
  return (error) => {
    if (codes.includes(systemCode(error) ?? '')) return value;
    throw error;
  };
}

/** There is nothing of this name, or nothing behind a link. */
export const nothingThere = ['ENOENT', 'ENOTDIR', 'ELOOP'];

/** What a thing that is neither file nor folder is called. */
export function kindOf(found: {
  isFIFO(): boolean;
  isSocket(): boolean;
  isDirectory(): boolean;
  isBlockDevice(): boolean;
  isCharacterDevice(): boolean;
}): string {
  if (found.isFIFO()) return 'a named pipe';
  if (found.isSocket()) return 'a socket';
  if (found.isDirectory()) return 'a folder';
  return found.isBlockDevice() || found.isCharacterDevice() ? 'a device' : 'something that is no file';
}
