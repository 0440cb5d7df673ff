import type { ProgramDifference } from '../../../native.ts';
import {
  type Added,
  type Inputs,
  NotReplayable,
  type Program,
  type Recorder,
  refusals,
} from '../../replay/recorder.ts';
import * as tf from '../../tf.ts';
import { give, type TensorflowBackend } from '../calls.ts';
import { GraphProgram, GraphRefused } from './program.ts';
import { type Feed, Recording } from './recording.ts';

type Parameters = readonly tf.TensorInfo[];

/** What is computed operation by operation, written down as a graph of TensorFlow. Sums are not part of it: what a computation gives away is a graph's output, which is added when it has run. */
export class TensorflowRecorder implements Recorder {
  readonly launches = false;
  readonly #backend: TensorflowBackend;
  readonly #parameters: Parameters;
  #recording: Recording | undefined;

  /** @param parameters tensors that are read, and whose values change from one computation to the next. */
  constructor(backend: TensorflowBackend, parameters: Parameters) {
    this.#backend = backend;
    this.#parameters = parameters;
  }

  record(inputs: Inputs): void {
    this.#recording = new Recording(this.#backend, [...Object.values(inputs), ...this.#parameters]);
  }

  give(tensor: tf.Tensor, add: () => void): void {
    this.#recording!.give(tensor, add);
  }

  stop(): Program {
    const recording = this.#recording!;
    this.#recording = undefined;
    recording.stop();
    return new Recorded(this.#backend, recording, this.#parameters);
  }

  kernels(): Readonly<Record<string, string>> {
    return {};
  }
}

/** A recording, and the program that is made of it when it is replayed for the first time. */
class Recorded implements Program {
  readonly calls: number;
  readonly refused: string | undefined;
  readonly #backend: TensorflowBackend;
  readonly #parameters: Parameters;
  readonly #feeds: readonly Feed[];
  #recording: Recording | undefined;
  #program: GraphProgram | undefined;

  constructor(backend: TensorflowBackend, recording: Recording, parameters: Parameters) {
    this.#backend = backend;
    this.#recording = recording;
    this.#parameters = parameters;
    this.#feeds = recording.feeds;
    this.calls = recording.graph.calls;
    const { unknown, reads, frees, keeps } = recording;
    if (unknown !== '') this.refused = `they call ${unknown}, which graphs are not made with here`;
    else if (reads !== '') this.refused = refusals.reads(reads);
    else if (frees) this.refused = refusals.frees;
    else if (keeps) this.refused = refusals.keeps;
    else if (recording.outputs.length === 0) this.refused = 'they compute nothing';
  }

  /** Of recordings that were not replayed. */
  differ(later: Recorded): ProgramDifference {
    return this.#recording!.differ(later.#recording!);
  }

  replay(inputs: Inputs, added: Added): boolean {
    const given = [...Object.values(inputs), ...this.#parameters];
    const { tensorMap } = this.#backend;
    const fed = this.#feeds.map((feed) => ('given' in feed ? given[feed.given]! : feed));
    if (!fed.every(({ dataId }) => tensorMap.has(dataId))) return false;
    const outputs = this.#run(this.#backend.getInputTensorIds(fed));
    const tensors = outputs.map((output) => tf.engine().makeTensorFromTensorInfo(give(this.#backend, output)));
    let n = 0;
    try {
      // Who hears of one takes it over.
      while (n < tensors.length) added(n, tensors[n++]);
    } finally {
      tf.dispose(tensors.slice(n));
    }
    return true;
  }

  launch(): boolean {
    throw new Error('a graph is always launched as a whole');
  }

  discard(): void {
    this.#recording = undefined;
    this.#program?.dispose();
    this.#program = undefined;
  }

  #run(ids: readonly number[]) {
    try {
      this.#program ??= this.#loaded();
      return this.#program.run(ids);
    } catch (cause) {
      if (cause instanceof GraphRefused) throw new NotReplayable(cause.message, { cause });
      throw cause;
    }
  }

  #loaded(): GraphProgram {
    const { graph, outputs } = this.#recording!;
    const inputs = this.#feeds.map(({ name }) => name);
    const program = new GraphProgram(this.#backend, graph, { inputs, outputs });
    this.#recording = undefined;
    return program;
  }
}
