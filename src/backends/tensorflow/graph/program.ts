import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { firstLine, messageOf } from '../../../errors.ts';
import type { Output, TensorflowBackend } from '../calls.ts';
import type { Graph } from './graph.ts';
import { savedModel, tag } from './saved-model.ts';

/** A graph that TensorFlow does not take. The message says why, as a sentence goes on after `because`. */
export class GraphRefused extends Error {
  constructor(what: string, cause: unknown) {
    super(`${what}: ${firstLine(messageOf(cause))}`, { cause });
  }
}

/**
 * A graph in a session of TensorFlow. The binding loads graphs from folders alone: one is written for as long as it takes. When it runs for the first time, TensorFlow joins its operations and drops what nobody needs.
 * Owned by whoever made it, who calls `dispose`.
 */
export class GraphProgram {
  readonly #binding: TensorflowBackend['binding'];
  readonly #session: number;
  readonly #inputs: string;
  readonly #outputs: string;
  #ran = false;

  /**
   * @param inputs names of placeholders. @param outputs names of what is computed, at least one.
   * @throws GraphRefused where there is no room for the file, or TensorFlow does not know an operation.
   */
  constructor(
    { binding }: TensorflowBackend,
    graph: Graph,
    { inputs, outputs }: { readonly inputs: readonly string[]; readonly outputs: readonly string[] },
  ) {
    this.#binding = binding;
    this.#inputs = listed(inputs);
    this.#outputs = listed(outputs);
    this.#session = loaded(binding, graph);
  }

  /** @param ids of the inputs, which stay the caller's. @returns the outputs, which are the caller's. @throws GraphRefused when it fails the first time. */
  run(ids: readonly number[]): Output[] {
    try {
      const outputs = this.#binding.runSavedModel(this.#session, ids, this.#inputs, this.#outputs);
      this.#ran = true;
      return outputs;
    } catch (cause) {
      if (this.#ran) throw cause;
      throw new GraphRefused('TensorFlow does not run the graph', cause);
    }
  }

  dispose(): void {
    this.#binding.deleteSavedModel(this.#session);
  }
}

function loaded(binding: TensorflowBackend['binding'], graph: Graph): number {
  const file = refusing('the graph cannot be encoded', () => savedModel(graph.nodes));
  const nowhere = 'the graph cannot be written into the folder for temporary files (`TMPDIR`)';
  const folder = refusing(nowhere, () => mkdtempSync(join(tmpdir(), 'patchstream-graph-')));
  try {
    refusing(nowhere, () => writeFileSync(join(folder, 'saved_model.pb'), file));
    return refusing('TensorFlow does not load the graph', () => binding.loadSavedModel(folder, tag));
  } finally {
    remove(folder);
  }
}

function refusing<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new GraphRefused(what, cause);
  }
}

function remove(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // What cannot be removed stays: the graph needs it no more.
  }
}

/** As the binding takes them: each with the number of the output of its node. */
function listed(names: readonly string[]): string {
  return names.map((name) => (name.includes(':') ? name : `${name}:0`)).join();
}
