/**
 * The first section of both scripts: builds native/torch with this machine's torch. With `--shipped`, and in `b`,
 * the addon that the archive brings is taken where it loads; else where none can be built, with the reason.
 */
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { buildAddons } from '../../../scripts/lib/addons.mjs';
import { run, start } from '../../../scripts/lib/runner.mjs';
import { kit, row } from '../child.ts';

/** How an addon was had, or why there is none. */
export interface Had {
  readonly how: 'built' | 'brought' | 'none';
  /** Why it was not built, or does not load. */
  readonly reason?: string;
}

/** What getting an addon takes; tests put in their own. */
export interface Ways {
  /** Why it could not be built, or nothing. */
  build(): Promise<string | undefined>;
  /** Why the addon that was brought does not load, or nothing when it is in its place now. */
  bring(): string | undefined;
}

/** Builds first and takes what was brought second, or the other way round. */
export async function getAddon({ build, bring }: Ways, first: 'build' | 'bring'): Promise<Had> {
  const brought = first === 'bring' ? bring() : undefined;
  if (first === 'bring' && brought === undefined) return { how: 'brought' };
  const reason = await build();
  if (reason === undefined) return { how: 'built' };
  const unfit = first === 'bring' ? brought : bring();
  if (unfit === undefined) return { how: 'brought', reason };
  return { how: 'none', reason: `${reason.replace(/\.?$/, '.')} The addon in the archive does not fit: ${unfit}` };
}

const folder = join(kit.app, 'native/torch/build');
const target = join(folder, 'torch.node');
/** Loading libtorch for the first time takes seconds. */
const bringMs = 15_000;
const asks =
  'const addon = { exports: {} }; process.dlopen(addon, process.argv[1]); console.log(addon.exports.info().version)';

async function build(): Promise<string | undefined> {
  const lines: string[] = [];
  const surroundings = { env: process.env, platform: process.platform, runner: run, start, again: true };
  const say = (line: string) => {
    if (!line.startsWith('Builds ')) lines.push(line);
  };
  const well = await buildAddons(kit.app, { ...surroundings, only: ['torch'], say });
  return well && existsSync(target)
    ? undefined
    : (lines.at(-1)?.replace('; wasm trains instead', '') ?? 'There is no libtorch to build with.');
}

const ways: Ways = {
  // What is still being compiled is ended with this program.
  build: () =>
    Promise.race([build(), setTimeout(kit.deadline - bringMs - Date.now(), 'native/torch was not built in time.')]),
  bring() {
    const shipped = join(kit.app, 'native/torch/shipped/torch.node');
    if (!existsSync(shipped)) return 'there is none.';
    const { status, stdout, stderr } = run(process.execPath, ['-e', asks, shipped]);
    if (status !== 0) return stderr.split('\n').find((line) => /Error: /.test(line)) ?? `exit code ${status}`;
    // It may have found another libtorch that is installed here as well.
    const [its, wanted] = [stdout.trim(), process.env.KIT_LIBTORCH];
    if (wanted !== undefined && its !== wanted) return `it is of libtorch ${its}, and here is ${wanted}.`;
    mkdirSync(folder, { recursive: true });
    copyFileSync(shipped, target);
    return undefined;
  },
};

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const began = performance.now();
  const had = await getAddon(ways, process.env.KIT_ADDON === 'bring' ? 'bring' : 'build');
  row({
    what: 'native/torch',
    ...had,
    seconds: Math.round((performance.now() - began) / 1000),
    ok: had.how !== 'none',
  });
  process.exit();
}
