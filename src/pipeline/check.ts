import { fail, PatchstreamError } from '../errors.ts';
import type { Definition } from './definition.ts';
import { type LoadOptions, loadPipeline } from './file/load.ts';
import { type Problem, sortProblems } from './problem.ts';
import type { Registry } from './registry.ts';
import { type Resolved, resolvePipeline } from './resolve/resolve.ts';

/** Every problem of a definition, in the order in which they stand in its files. Opens no data. */
export function check(definition: Definition, registry: Registry): readonly Problem[] {
  return resolvePipeline(definition, registry).problems;
}

/** A pipeline file, read and checked. */
export interface Checked {
  /** Absent when nothing could be made of the file. */
  readonly resolved?: Resolved;
  /** With what the file's `use` adds. */
  readonly registry: Registry;
  readonly problems: readonly Problem[];
}

/** Reads a pipeline file and collects all its problems: of the file, of its names and of its chain. */
export async function checkFile(file: string, options: LoadOptions): Promise<Checked> {
  const { definition, registry, problems } = await loadPipeline(file, options);
  if (definition === undefined) return { registry, problems: sortProblems(problems) };
  const resolved = resolvePipeline(definition, registry);
  return { resolved, registry, problems: sortProblems([...problems, ...resolved.problems]) };
}

/** How many problems the message of one error holds; all are in its `problems`. */
const most = 5;

/** The problems of a pipeline as one error. */
export class PipelineProblems extends PatchstreamError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[], file?: string) {
    const told = problems.slice(0, most).map(({ error }) => error.message);
    const more = problems.length > most ? [`and ${problems.length - most} more`] : [];
    const { text } = fail('PIPELINE_PROBLEMS', { count: problems.length, list: [...told, ...more].join(' | ') });
    super('PIPELINE_PROBLEMS', text, file, problems[0]?.error);
    this.problems = problems;
  }
}

/**
 * The resolved form of a definition made in a program.
 *
 * @throws PIPELINE_PROBLEMS with all of them in `problems`.
 */
export function soundPipeline(
  definition: Definition,
  registry: Registry,
  options?: { readonly ends?: boolean },
): Resolved {
  const resolved = resolvePipeline(definition, registry, options);
  if (resolved.problems.length > 0) throw new PipelineProblems(resolved.problems);
  return resolved;
}
