import { fail, firstLine, messageOf, PatchstreamError } from '../../errors.ts';
import { importModule } from '../../files/import-module.ts';
import { definitionsIn } from '../../models/define.ts';
import type { Listed, Registry } from '../registry.ts';

type Carrier = { readonly definition: { readonly name: string } };

/**
 * A registry with the stages, sources, sinks, models, measures and trackers that the modules export.
 *
 * @throws USE_MODULE when a module does not load, USE_EXPORTS when it exports nothing of ours, NAME_TAKEN.
 */
export async function withModules(registry: Registry, files: readonly string[]): Promise<Registry> {
  let all = registry;
  for (const file of new Set(files)) {
    let module: Readonly<Record<string, unknown>>;
    try {
      module = await importModule(file);
    } catch (cause) {
      throw cause instanceof PatchstreamError
        ? cause
        : fail('USE_MODULE', { found: firstLine(messageOf(cause)) }, { cause });
    }
    const listed = exportsOf(module, file);
    if (Object.values(listed).every((list) => list.length === 0)) {
      throw fail('USE_EXPORTS', { found: Object.keys(module).join(', ') || 'no exports' });
    }
    all = all.with(listed);
  }
  return all;
}

function exportsOf(module: Readonly<Record<string, unknown>>, file: string): Required<Listed> {
  const carriers = [...new Set(Object.values(module))].filter(isCarrier);
  const having = (...keys: readonly string[]) =>
    carriers.filter(({ definition }) => keys.every((key) => key in definition));
  const sources = having('spec', 'open');
  const trackers = carriers.filter(({ definition }) => 'kind' in definition && definition.kind === 'tracker');
  return {
    stages: having('run', 'output'),
    sources,
    sinks: having('open').filter((carrier) => ![...sources, ...trackers].includes(carrier)),
    measures: having('run', 'values'),
    // The trainer's thread loads them from their file.
    models: [...new Set(definitionsIn(module))].map((definition) => ({ ...definition, module: file })),
    trackers,
  };
}

function isCarrier(value: unknown): value is Carrier {
  if (typeof value !== 'function' || !('definition' in value)) return false;
  const { definition } = value;
  return (
    typeof definition === 'object' && definition !== null && 'name' in definition && typeof definition.name === 'string'
  );
}
