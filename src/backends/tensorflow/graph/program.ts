import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../../../errors.ts';
import type { Output, TensorflowBackend } from '../calls.ts';
import type { Graph } from './graph.ts';
import { savedModel, tag } from './saved-model.ts';

/** A graph that TensorFlow does not take. */
export class GraphRefused extends Error {}

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
      throw new GraphRefused(`it cannot be run: ${messageOf(cause)}`, { cause });
    }
  }

  dispose(): void {
    this.#binding.deleteSavedModel(this.#session);
  }
}

function loaded(binding: TensorflowBackend['binding'], graph: Graph): number {
  let folder: string | undefined;
  try {
    folder = mkdtempSync(join(tmpdir(), 'patchstream-graph-'));
    writeFileSync(join(folder, 'saved_model.pb'), savedModel(graph.nodes));
    return binding.loadSavedModel(folder, tag);
  } catch (cause) {
    throw new GraphRefused(`it cannot be loaded: ${messageOf(cause)}`, { cause });
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}

/** As the binding takes them: each with the number of the output of its node. */
function listed(names: readonly string[]): string {
  return names.map((name) => (name.includes(':') ? name : `${name}:0`)).join();
}
