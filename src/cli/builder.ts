import { fileURLToPath } from 'node:url';

/** The folder of the package, in a clone and where npm has put it. */
const root = new URL('../../', import.meta.url);

/** What `scripts/lib` knows of the native parts; it is plain JavaScript, so that set-up runs before anything is compiled. */
export interface Builder {
  /** Builds what is missing or failed; says what it does and what went wrong. */
  build(say: (line: string) => void): Promise<boolean>;
  /** Why the library of an addon is not there, or undefined when it is. */
  missing(addon: 'torch' | 'image' | 'dlib'): string | undefined;
  /** The packages of tfjs-node that are installed, and how it stands with their bindings. */
  tfjsNodes(): readonly TfjsNode[];
  /** The command that installs tfjs-node without its download. */
  readonly installTfjsNode: string;
}

/** A package of tfjs-node. */
export interface TfjsNode {
  readonly name: string;
  readonly version: string;
  /** Where the package loads its binding from. */
  readonly binding: string;
  /** Whether the binding is there. */
  readonly there: boolean;
  /** What the last build of ours came to; without one, the package has brought its own binding along, or has none. */
  readonly outcome?: { readonly version: string; readonly place: string; readonly reason?: string };
  /** The TensorFlow that the binding was built with is not there any more. */
  readonly gone?: boolean;
}

type Surroundings = Readonly<Record<string, unknown>>;

interface Addons {
  buildAddons(root: string, surroundings: Surroundings): Promise<boolean>;
  missingLibrary(root: string, name: string, surroundings: Surroundings): string | undefined;
}

interface TfjsNodes {
  buildTfjsNode(root: string, surroundings: Surroundings): Promise<boolean>;
  tfjsNodes(root: string): readonly TfjsNode[];
  installCommand(root: string): string;
}

interface Counters {
  countsOn(stream: NodeJS.WriteStream): unknown;
}

interface Runners {
  readonly run: unknown;
  readonly start: unknown;
}

/** The builder of the native parts, for the environment of the command line. */
export async function builder(env: Readonly<Record<string, string | undefined>>): Promise<Builder> {
  const load = (name: string): Promise<unknown> => import(new URL(`scripts/lib/${name}.mjs`, root).href);
  const addons = (await load('addons')) as Addons;
  const tfjsNode = (await load('tfjs-node')) as TfjsNodes;
  const { countsOn } = (await load('counter')) as Counters;
  const { run: runner, start } = (await load('runner')) as Runners;
  const folder = fileURLToPath(root);
  const surroundings = { env, platform: process.platform, runner, start };
  return {
    async build(say) {
      const given = { ...surroundings, say, count: countsOn(process.stderr), again: true };
      const well = await addons.buildAddons(folder, given);
      return (await tfjsNode.buildTfjsNode(folder, given)) && well;
    },
    missing: (addon) => addons.missingLibrary(folder, addon, surroundings),
    tfjsNodes: () => tfjsNode.tfjsNodes(folder),
    installTfjsNode: tfjsNode.installCommand(folder),
  };
}
