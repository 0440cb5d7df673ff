import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createJiti } from 'jiti';
import * as rxjs from 'rxjs';
import * as zod from 'zod';
import { fail, firstLine, messageOf, PatchstreamError } from '../../errors.ts';
import { systemCode } from '../../whole-file.ts';
import type { Listed, Registry } from '../registry.ts';

type Carrier = { readonly definition: { readonly name: string } };

/**
 * Loads a user's module, TypeScript or JavaScript. `import … from 'patchstream'` inside it is the running copy, so that its stages,
 * errors and samples are ours. The module's top level runs: this is the one place where a pipeline names code.
 */
export async function importModule(file: string): Promise<Readonly<Record<string, unknown>>> {
  const virtualModules = { ...(await door()), ...lent(file) };
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
  const address = new URL(import.meta.url.endsWith('.ts') ? '../../index.ts' : '../../index.js', import.meta.url);
  opened ??= import(fileURLToPath(address)).then((module: unknown) => ({ patchstream: module }));
  return opened;
}

/**
 * A registry with the stages, sources, sinks and models that the modules export.
 *
 * @throws USE_MODULE when a module does not load, USE_EXPORTS when it exports nothing of ours, NAME_TAKEN.
 */
export async function withModules(registry: Registry, files: readonly string[]): Promise<Registry> {
  let all = registry;
  for (const file of files) {
    let module: Readonly<Record<string, unknown>>;
    try {
      module = await importModule(file);
    } catch (cause) {
      throw cause instanceof PatchstreamError
        ? cause
        : fail('USE_MODULE', { found: firstLine(messageOf(cause)) }, { cause });
    }
    const listed = exportsOf(module);
    if (Object.values(listed).every((list) => list.length === 0)) {
      throw fail('USE_EXPORTS', { found: Object.keys(module).join(', ') || 'no exports' });
    }
    all = all.with(listed);
  }
  return all;
}

function exportsOf(module: Readonly<Record<string, unknown>>): Required<Listed> {
  const carriers = [...new Set(Object.values(module))].filter(isCarrier);
  const having = (...keys: readonly string[]) =>
    carriers.filter(({ definition }) => keys.every((key) => key in definition));
  const sources = having('spec', 'open');
  return {
    stages: having('run', 'output'),
    sources,
    sinks: having('open').filter((carrier) => !sources.includes(carrier)),
    models: having('fields', 'build'),
  };
}

function isCarrier(value: unknown): value is Carrier {
  if (typeof value !== 'function' || !('definition' in value)) return false;
  const { definition } = value;
  return (
    typeof definition === 'object' && definition !== null && 'name' in definition && typeof definition.name === 'string'
  );
}
