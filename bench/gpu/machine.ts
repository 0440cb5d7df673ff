import { readFileSync, statfsSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { findLibtorch } from '../../scripts/lib/libtorch.mjs';
import { type Runner, run } from '../../scripts/lib/runner.mjs';
import type { Row } from './rows.ts';

/** Why a script cannot do its work, in one line, and the exit code that says the same. */
export class Unfit extends Error {
  readonly code: number;

  constructor(code: number, line: string) {
    super(line);
    this.code = code;
  }
}

/** What the exit codes say. */
export const exits = { passed: 0, failed: 1, usage: 2, torch: 3, device: 4, addon: 5, disk: 6 } as const;

/** The libtorch that the addon is built with. */
export interface Torch {
  /** What LIBTORCH says: a python, a folder, or nothing for the system's own. */
  readonly wish: string;
  readonly version: string;
  /** Where its libraries lie. */
  readonly lib: string;
  /** Versions of what this python has; empty where libtorch is no python's. */
  readonly python: Readonly<Record<string, string>>;
}

/** A precompiled header, the objects, and a compiler's own files. */
const roomMiB = 1024;

/** @throws Unfit where a folder's disk has not enough room. */
export function requireRoom(folder: string): void {
  const { bavail, bsize } = statfsSync(folder);
  const free = Math.floor((bavail * bsize) / 2 ** 20);
  if (free < roomMiB)
    throw new Unfit(exits.disk, `The disk of ${folder} has ${free} MiB left; the kit takes ${roomMiB}.`);
}

/** Prints the versions of packages, without importing them. */
const askVersions = [
  'import importlib.metadata as m, json',
  'found = {}',
  "for name in ('torch', 'torchvision', 'triton', 'pillow', 'numpy'):",
  '    try: found[name] = m.version(name)',
  '    except m.PackageNotFoundError: pass',
  'print(json.dumps(found))',
].join('\n');

/**
 * The torch of $LIBTORCH where it is set; else of python3 ($PYTHON), else of the system.
 * @throws Unfit where there is none.
 */
export function findTorch(env: NodeJS.ProcessEnv, runner: Runner = run): Torch {
  const command = env.PYTHON ?? 'python3';
  const asked = runner(command, ['-c', askVersions]);
  const python = asked.status === 0 ? (JSON.parse(asked.stdout) as Record<string, string>) : {};
  const machine = { platform: process.platform, arch: process.arch, runner };
  const reasons: string[] = [];
  for (const wish of env.LIBTORCH !== undefined ? [env.LIBTORCH] : [...(python.torch ? [command] : []), '']) {
    const found = findLibtorch(wish, machine);
    if (typeof found !== 'string') {
      const lib = found.link.find((flag) => flag.startsWith('-L'))!.slice(2);
      return { wish, version: found.version, lib, python };
    }
    reasons.push(found);
  }
  const first = python.torch === undefined ? [`${command} has no torch`] : [];
  throw new Unfit(
    exits.torch,
    `There is no libtorch: ${[...first, ...reasons].join('; ')}. Name a python or a folder in LIBTORCH.`,
  );
}

/** Names the card as its driver does; empty where there is none. */
export function cards(runner: Runner = run): string[] {
  const { status, stdout } = runner('nvidia-smi', [
    '--query-gpu=name,driver_version,memory.total',
    '--format=csv,noheader',
  ]);
  return status === 0 ? stdout.trim().split('\n') : [];
}

/** MiB that all programs hold on the first card; undefined where nothing says so. */
export function cardMemory(runner: Runner = run): number | undefined {
  const { status, stdout } = runner('nvidia-smi', [
    '-i',
    '0',
    '--query-gpu=memory.used',
    '--format=csv,noheader,nounits',
  ]);
  return status === 0 ? Number(stdout) : undefined;
}

/**
 * Why torch cannot use a device, by python's own words, which know the driver.
 */
export function whyNoDevice(
  device: string,
  { python, env }: { python: string; env: NodeJS.ProcessEnv },
  runner: Runner = run,
): string {
  const text = `import warnings; warnings.simplefilter('ignore')\nimport torch\ntorch.zeros(1, device=${JSON.stringify(device)})`;
  const { status, stderr } = runner(python, ['-c', text], { env });
  const last = stderr
    .trim()
    .split('\n')
    .findLast((line) => /\w+(Error|Exception)?: /.test(line));
  if (status === 0) return `python's torch computes on ${device}, the addon does not`;
  return last ?? 'no driver answers';
}

/** What the rows were measured on: card, driver, versions, cores. */
export function describeMachine(torch: Torch, { version, made }: { version: string; made: string }): Row {
  return {
    date: new Date().toISOString().slice(0, 16),
    patchstream: version,
    made,
    cards: cards(),
    libtorch: torch.version,
    python: torch.python,
    node: process.versions.node,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: systemName(),
  };
}

function systemName(): string {
  try {
    return /^PRETTY_NAME="(.*)"/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? process.platform;
  } catch {
    return process.platform;
  }
}
