import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { engineTree } from '../../scripts/lib/engine.mjs';
import { run, start } from '../../scripts/lib/runner.mjs';
import { installVenv } from '../../scripts/lib/venv.mjs';

/** What a peer stands on, or why it is not there. */
export type Found<T> = T | { readonly missing: string };

const machine = { runner: run, say: (line: string) => console.error(line), env: process.env };
const root = fileURLToPath(new URL('../..', import.meta.url));
const manifest = (name: string) => fileURLToPath(new URL(`requirements/${name}.txt`, import.meta.url));

/** The manifests, and what Debian must have for some: pkg-config's names, and what installs them. */
const manifests = {
  torch: { file: 'torch-2.15' },
  ffcv: {
    file: 'ffcv-1.0',
    debian: { libraries: ['opencv4', 'libturbojpeg'], packages: 'g++ pkg-config libopencv-dev libturbojpeg0-dev' },
  },
  dali: { file: 'dali-2.4' },
  pictures: { file: 'pictures' },
  duplicates: { file: 'duplicates' },
  tensorflow: { file: 'tensorflow-2.21' },
  grain: { file: 'grain-0.2' },
  onnx: { file: 'onnx' },
  timm: { file: 'timm' },
  transformers: { file: 'transformers' },
  spdl: { file: 'spdl-0.8', debian: { programs: ['ffmpeg'], packages: 'ffmpeg' } },
} as const;

export type Environment = keyof typeof manifests;

/** Those that stand on the torch of `torch`. */
const onTorch: readonly Environment[] = ['ffcv', 'onnx', 'duplicates', 'timm', 'transformers'];

const found = new Map<Environment, Found<{ python: string }>>();

/** The python of an environment, installed from PyPI the first time. */
export function pythonOf(name: Environment): Found<{ python: string }> {
  const known = found.get(name) ?? install(name);
  found.set(name, known);
  return known;
}

function install(name: Environment): Found<{ python: string }> {
  const { file, ...rest } = manifests[name];
  const lacking = 'debian' in rest ? missingOfDebian(rest.debian) : undefined;
  if (lacking !== undefined) return { missing: lacking };
  // A torch of their own would be a second one of gigabytes.
  if (!onTorch.includes(name)) return installVenv(manifest(file), machine);
  const torch = pythonOf('torch');
  return 'missing' in torch ? torch : installVenv(manifest(file), machine, { on: torch.python });
}

interface Debian {
  readonly libraries?: readonly string[];
  readonly programs?: readonly string[];
  readonly packages: string;
}

function missingOfDebian({ libraries = [], programs = [], packages }: Debian): string | undefined {
  const calls = [
    ...libraries.map((library) => ['pkg-config', '--exists', library]),
    ...programs.map((program) => [program, '-version']),
  ];
  const lacks = calls.some(([command, ...args]) => {
    try {
      execFileSync(command!, args, { stdio: 'ignore' });
      return false;
    } catch {
      return true;
    }
  });
  return lacks ? `it needs Debian's packages: apt-get install ${packages}` : undefined;
}

/** A copy of this tree whose native/torch is built with the torch of `python`. */
export function treeWith(python: string): Promise<Found<{ tree: string }>> {
  return engineTree(root, 'torch-2.15', python, { platform: process.platform, start, ...machine });
}

/** This tree, whose engine set-up has built. */
export const ownTree = root;
