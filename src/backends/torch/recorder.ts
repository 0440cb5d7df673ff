import type { ProgramDifference } from '../../native.ts';
import { type Added, type Inputs, type Program, type Recorder, refusals } from '../replay/recorder.ts';
import { guarded } from './guarded.ts';
import type { TorchBackend } from './torch.ts';

/** The recordings of native/torch. Sums lie where they were, so that additions to them are part of a program. */
export class TorchRecorder implements Recorder {
  readonly #backend: TorchBackend;

  constructor(backend: TorchBackend) {
    this.#backend = backend;
  }

  get launches(): boolean {
    const { addon, device, ownKernels } = this.#backend;
    return device !== 'cpu' && ownKernels && addon.canCapture(device);
  }

  record(inputs: Inputs): void {
    this.#backend.addon.record(handlesOf(this.#backend, inputs));
  }

  give(_: unknown, add: () => void): void {
    add();
  }

  stop(): Program {
    return new TorchProgram(this.#backend, this.#backend.addon.stop());
  }

  kernels(): Readonly<Record<string, string>> {
    return this.#backend.addon.kernels();
  }
}

class TorchProgram implements Program {
  readonly calls: number;
  readonly refused: string | undefined;
  readonly #backend: TorchBackend;
  readonly #id: number;

  constructor(backend: TorchBackend, id: number) {
    this.#backend = backend;
    this.#id = id;
    const { reads, frees, keeps, calls } = backend.addon.describe(id);
    this.calls = calls;
    if (reads !== '') this.refused = refusals.reads(reads);
    else if (frees) this.refused = refusals.frees;
    else if (keeps) this.refused = refusals.keeps;
  }

  differ(later: TorchProgram): ProgramDifference {
    return this.#backend.addon.differ(this.#id, later.#id);
  }

  replay(inputs: Inputs, added: Added): boolean {
    return this.#again('replay', inputs, added);
  }

  launch(inputs: Inputs, added: Added): boolean {
    return this.#again('launch', inputs, added);
  }

  discard(): void {
    this.#backend.addon.discard(this.#id);
  }

  #again(how: 'replay' | 'launch', inputs: Inputs, added: Added): boolean {
    const { addon, device } = this.#backend;
    const given = handlesOf(this.#backend, inputs);
    let done = true;
    try {
      done = guarded(device, () => addon[how](this.#id, given));
      return done;
    } finally {
      // Also when it has thrown. What has come of these inputs before a capture is nothing.
      if (done) for (let n = 0; n < addon.additions(this.#id); n++) added(n);
    }
  }
}

function handlesOf(backend: TorchBackend, inputs: Inputs): Int32Array {
  return Int32Array.from(Object.values(inputs), (tensor) => backend.handleOf(tensor));
}
