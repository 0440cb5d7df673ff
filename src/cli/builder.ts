import { fileURLToPath } from 'node:url';

/** The folder of the package, in a clone and where npm has put it. */
const root = new URL('../../', import.meta.url);

/** What `scripts/lib` knows of the native parts; it is plain JavaScript, so that set-up runs before anything is compiled. */
export interface Builder {
  /** Builds what is missing or failed; says what it does and what went wrong. */
  build(say: (line: string) => void): Promise<boolean>;
  /** Why the library of an addon is not there, or undefined when it is. */
  missing(addon: 'torch' | 'image' | 'dlib'): string | undefined;
}

type Surroundings = Readonly<Record<string, unknown>>;

interface Addons {
  buildAddons(root: string, surroundings: Surroundings): Promise<boolean>;
  missingLibrary(root: string, name: string, surroundings: Surroundings): string | undefined;
}

interface Runners {
  readonly run: unknown;
  readonly start: unknown;
}

/** The builder of the native parts, for the environment of the command line. */
export async function builder(env: Readonly<Record<string, string | undefined>>): Promise<Builder> {
  const load = (name: string): Promise<unknown> => import(new URL(`scripts/lib/${name}.mjs`, root).href);
  const addons = (await load('addons')) as Addons;
  const { run: runner, start } = (await load('runner')) as Runners;
  const folder = fileURLToPath(root);
  const surroundings = { env, platform: process.platform, runner, start };
  return {
    build: (say) => addons.buildAddons(folder, { ...surroundings, say, again: true }),
    missing: (addon) => addons.missingLibrary(folder, addon, surroundings),
  };
}
