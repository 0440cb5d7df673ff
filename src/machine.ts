import { readFileSync } from 'node:fs';
import { availableParallelism, freemem, totalmem } from 'node:os';
import { posix } from 'node:path';
import { counted } from './counts.ts';

/**
 * What this process may use of the machine, in one place: everything that starts threads or plans memory asks here. Control groups (v1, v2, or both, and every
 * parent of the process's own), the affinity of the process and its limits of memory are counted in; what cannot be read sets no limit.
 * Sources: the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/{memory,cpusets}.rst, proc(5).
 */
export interface Machine {
  /** Cores: the least of the affinity and the quota of each group, ⌈quota / period⌉. At least 1. */
  readonly cores: number;
  /** Bytes that the process may use in all. */
  readonly memory: number;
  /** Bytes of these that are free now. Pages of files that nobody uses count as free. */
  readonly free: number;
  /** The machine itself, where the process may use less of it; absent where it may use all. */
  readonly whole?: { readonly cores: number; readonly memory: number };
  /** Bytes that may be swapped out beside `memory`, where the machine has such; what a group says of them is not looked at. */
  readonly swap?: number;
  /** What sets the limits; absent where nothing does. `container`: control groups. `limit`: `ulimit`. */
  readonly bound?: 'container' | 'limit';
}

/** What `machineFrom` reads; tests give their own. */
export interface MachineSources {
  /** The text of a file of /proc or /sys, undefined where it cannot be read. */
  read(path: string): string | undefined;
  /** Cores of the process's affinity. */
  readonly cores: number;
  readonly memory: number;
  readonly free: number;
  /** What Node knows of a limit; 0, or beyond the machine's memory, where there is none. */
  readonly constrained: number;
}

/** What this process may use now. */
export function machine(): Machine {
  return machineFrom({
    read,
    cores: availableParallelism(),
    memory: totalmem(),
    free: freemem(),
    constrained: process.constrainedMemory?.() ?? 0,
  });
}

/** Cores that this process may use: what every pool of threads has by default. */
export function coreCount(): number {
  const groups = process.platform === 'linux' ? groupsOf(read) : [];
  return coresIn(groups, read, availableParallelism());
}

/** Threads for computing: what OMP_NUM_THREADS says, else a thread per core. */
export function computeThreads(env: NodeJS.ProcessEnv = process.env): number {
  const wish = Number.parseInt(env.OMP_NUM_THREADS ?? '', 10);
  return wish > 0 ? wish : coreCount();
}

/** Bytes of memory that this process has taken and that are no pages of files, which the system may drop at any time. */
export function anonymousBytes(): number {
  const kilobytes = /^RssAnon:\s+(\d+) kB/m.exec(read('/proc/self/status') ?? '')?.[1];
  return kilobytes === undefined ? process.memoryUsage.rss() : 1024 * Number(kilobytes);
}

/** As `machine`, from given sources. */
export function machineFrom(sources: MachineSources): Machine {
  const { read } = sources;
  const groups = groupsOf(read);
  const cores = coresIn(groups, read, sources.cores);
  const inGroups = memoryIn(groups, read);
  const limits = limitsOf(read);
  // Node's word counts soft limits too, which end nothing.
  const constrained =
    sources.constrained > 0 && !saysMemory(groups, read) ? sources.constrained : Number.POSITIVE_INFINITY;
  const contained = Math.min(inGroups.most, constrained);
  const memory = Math.min(sources.memory, contained, limits.most);
  const free = Math.max(0, Math.min(sources.free, memory, inGroups.free, limits.free));
  const swapped = 1024 * Number(/^SwapTotal: +(\d+) kB$/m.exec(read('/proc/meminfo') ?? '')?.[1] ?? 0);
  // Limits of the process count what it has taken, swapped out or not.
  const swap = swapped > 0 && limits.most > memory ? { swap: swapped } : {};
  if (cores === sources.cores && memory === sources.memory) return { cores, memory, free, ...swap };
  const bound = cores < sources.cores || contained <= memory ? 'container' : 'limit';
  return { cores, memory, free, ...swap, whole: { cores: sources.cores, memory: sources.memory }, bound };
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    // No /proc, no such controller, or not ours to read: then nothing is known, and nothing limits.
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return undefined;
  }
}

type Read = MachineSources['read'];

/** A control group of the process: its folders from its own up to the root that can be seen. */
interface Group {
  readonly version: 1 | 2;
  readonly controllers: readonly string[];
  readonly folders: readonly string[];
}

/** The process's groups, from where it stands in each hierarchy (`cgroup`) and where hierarchies are mounted (`mountinfo`). */
function groupsOf(read: Read): Group[] {
  const places = (read('/proc/self/cgroup') ?? '').split('\n').flatMap((line) => {
    const [, id, controllers = '', path = ''] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    return id === undefined ? [] : [{ controllers: controllers.split(',').filter(Boolean), path }];
  });
  return mountsOf(read('/proc/self/mountinfo') ?? '').flatMap(({ type, root, point, options }) => {
    const place =
      type === 'cgroup2'
        ? places.find(({ controllers }) => controllers.length === 0)
        : places.find(
            ({ controllers }) => controllers.length > 0 && controllers.every((each) => options.includes(each)),
          );
    if (place === undefined) return [];
    const version = type === 'cgroup2' ? 2 : 1;
    return [{ version, controllers: place.controllers, folders: foldersOf(place.path, root, point) } as const];
  });
}

/**
 * The folders of a group. A mount shows a part of a hierarchy, from `root` on; a group that lies outside of it (a container that sees the machine's paths, or
 * none) is the mount itself.
 */
function foldersOf(path: string, root: string, point: string): string[] {
  const inside = root === '/' ? path : path === root || path.startsWith(`${root}/`) ? path.slice(root.length) : '';
  const parts = inside.includes('..') ? [] : inside.split('/').filter(Boolean);
  return Array.from({ length: parts.length + 1 }, (_, n) => posix.join(point, ...parts.slice(0, parts.length - n)));
}

interface Mount {
  readonly type: string;
  readonly root: string;
  readonly point: string;
  readonly options: readonly string[];
}

function mountsOf(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [before, after] = line.split(' - ');
    const [, , , root, point] = (before ?? '').split(' ');
    const [type, , options] = (after ?? '').split(' ');
    if (!/^cgroup2?$/.test(type ?? '') || root === undefined || point === undefined) return [];
    return [{ type: type!, root: unescaped(root), point: unescaped(point), options: (options ?? '').split(',') }];
  });
}

/** A path as mountinfo writes it: blanks and the like in octal. */
function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)));
}

function coresIn(groups: readonly Group[], read: Read, most: number): number {
  let cores = most;
  for (const { version, controllers, folders } of groups) {
    if (version === 1 && !controllers.includes('cpu')) continue;
    for (const folder of folders) {
      const [quota, period] =
        version === 2
          ? (read(posix.join(folder, 'cpu.max')) ?? '').trim().split(' ')
          : [read(posix.join(folder, 'cpu.cfs_quota_us')), read(posix.join(folder, 'cpu.cfs_period_us'))];
      const share = Number(quota) / Number(period);
      // `max`, -1 and what is not there are no numbers above 0.
      if (share > 0 && Number.isFinite(share)) cores = Math.min(cores, Math.ceil(share));
    }
  }
  return Math.max(1, cores);
}

interface Bound {
  readonly most: number;
  readonly free: number;
}

const unbounded: Bound = { most: Number.POSITIVE_INFINITY, free: Number.POSITIVE_INFINITY };

function tighter(a: Bound, b: Bound): Bound {
  return { most: Math.min(a.most, b.most), free: Math.min(a.free, b.free) };
}

const memoryFiles = {
  1: { most: 'memory.limit_in_bytes', used: 'memory.usage_in_bytes', idle: 'total_inactive_file' },
  2: { most: 'memory.max', used: 'memory.current', idle: 'inactive_file' },
} as const;

function memoryIn(groups: readonly Group[], read: Read): Bound {
  let bound = unbounded;
  for (const { version, controllers, folders } of groups) {
    if (version === 1 && !controllers.includes('memory')) continue;
    const files = memoryFiles[version];
    for (const folder of folders) {
      const stat = read(posix.join(folder, 'memory.stat')) ?? '';
      const most = Math.min(
        limit(read(posix.join(folder, files.most))),
        // Of v1: the least of all parents, also of those that cannot be seen.
        limit(/^hierarchical_memory_limit (\d+)$/m.exec(stat)?.[1]),
      );
      if (most === Number.POSITIVE_INFINITY) continue;
      const used = Number(read(posix.join(folder, files.used)) ?? 0);
      const idle = Number(new RegExp(`^${files.idle} (\\d+)$`, 'm').exec(stat)?.[1] ?? 0);
      bound = tighter(bound, { most, free: most - Math.max(0, used - idle) });
    }
  }
  return bound;
}

/** Whether the files of a control group say what its limit of memory is. */
function saysMemory(groups: readonly Group[], read: Read): boolean {
  return groups.some(
    ({ version, controllers, folders }) =>
      (version === 2 || controllers.includes('memory')) &&
      folders.some((folder) => read(posix.join(folder, memoryFiles[version].most)) !== undefined),
  );
}

/** Where there is no limit, v1 says the largest number of pages, v2 `max`. */
const noLimit = 2 ** 60;

function limit(text: string | undefined): number {
  const bytes = Number.parseInt(text ?? '', 10);
  return bytes >= 0 && bytes < noLimit ? bytes : Number.POSITIVE_INFINITY;
}

/** Limits of the process itself (`ulimit -d`, `ulimit -v`), against what it has taken of each. */
function limitsOf(read: Read): Bound {
  const [limits, status] = [read('/proc/self/limits') ?? '', read('/proc/self/status') ?? ''];
  const bound = (name: string, taken: string): Bound => {
    const most = limit(new RegExp(`^${name} +(\\S+)`, 'm').exec(limits)?.[1]);
    const used = 1024 * Number(new RegExp(`^${taken}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0);
    return { most, free: most - used };
  };
  return tighter(bound('Max data size', 'VmData'), bound('Max address space', 'VmSize'));
}

/** `2 cores, 18.2 GiB of 23.5 GiB free`, and what sets the limits where the machine has more. */
export function machineText({ cores, memory, free, whole, bound }: Machine): string {
  const size = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  const may = `${counted(cores, 'core')}, ${size(free)} of ${size(memory)} free`;
  if (whole === undefined) return may;
  const by = bound === 'container' ? 'in a container (control groups)' : 'under a limit of memory (ulimit)';
  return `${may}, ${by} on a machine with ${counted(whole.cores, 'core')} and ${size(whole.memory)}`;
}
