import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import * as files from 'node:fs/promises';
import type { FileLayer } from '../../../src/whole-file.ts';

/** Mounts a disk of so many KiB at `path`, and says why where that is not possible: it takes root on Linux. */
export function smallDisk(path: string, kibibytes: number): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'mounting a small disk takes root on Linux';
  mkdirSync(path, { recursive: true });
  const { status, stderr, error } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${kibibytes}k`, 'tmpfs', path], {
    encoding: 'utf8',
  });
  return status === 0 ? undefined : `a small disk cannot be mounted: ${error?.message ?? stderr.trim()}`;
}

export function removeDisk(path: string): void {
  spawnSync('umount', ['-l', path]);
}

/** The system's files, on a disk that is full as soon as a file is written to. */
export const fullLayer: FileLayer = {
  ...files,
  async open(path, flags, mode) {
    const handle = await files.open(path, flags, mode);
    handle.writeFile = () => Promise.reject(Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' }));
    return handle;
  },
};
