import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as rxjs from 'rxjs';
import * as zod from 'zod';
import { systemCode } from '../whole-file.ts';

/**
 * Loads a user's module, TypeScript or JavaScript. `import … from 'patchstream'` inside it is the running copy, so that its stages,
 * errors and samples are ours. The module's top level runs: this is the one place where a pipeline names code.
 */
export async function importModule(file: string): Promise<Readonly<Record<string, unknown>>> {
  const virtualModules = { ...(await door()), ...lent(file) };
  // Only where a pipeline names code: it takes a twentieth of a second.
  const { createJiti } = await import('jiti');
  const jiti = createJiti(import.meta.url, { virtualModules, fsCache: false, interopDefault: false });
  return (await jiti.import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>;
}

// What a stage is written with. Lent to modules that cannot find a copy of their own, as beside a pipeline file outside any package.
const tools: Readonly<Record<string, unknown>> = { zod, rxjs };

function lent(file: string): Record<string, unknown> {
  const { resolve } = createRequire(file);
  const missing = Object.entries(tools).filter(([name]) => {
    try {
      return resolve(name) === '';
    } catch (error) {
      // It has none, or one that its package does not export.
      if (!['MODULE_NOT_FOUND', 'ERR_PACKAGE_PATH_NOT_EXPORTED'].includes(systemCode(error) ?? '')) throw error;
      return true;
    }
  });
  return Object.fromEntries(missing);
}

let opened: Promise<Record<string, unknown>> | undefined;

// The door is imported by its address, since nothing in src may depend on it.
function door(): Promise<Record<string, unknown>> {
  const address = new URL(import.meta.url.endsWith('.ts') ? '../index.ts' : '../index.js', import.meta.url);
  opened ??= import(fileURLToPath(address)).then((module: unknown) => ({ patchstream: module }));
  return opened;
}
