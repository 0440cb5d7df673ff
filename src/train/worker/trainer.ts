import { MessageChannel } from 'node:worker_threads';
import { type AwakeTimer, awake } from '../../awake-clock.ts';
import { fail, messageOf } from '../../errors.ts';
import type { Model } from '../../models/model.ts';
import { startWorker } from '../../worker-thread.ts';
import type { LoopEnd } from '../loop.ts';
import type { Measures } from '../metrics.ts';
import {
  type CellList,
  type FromTrainer,
  type Ready,
  type ToTrainer,
  type TrainerSetup,
  unpackError,
} from './protocol.ts';

export interface TrainerOptions extends TrainerSetup {
  /** `worker`: a thread of its own. `main`: the calling thread, with the same code. */
  readonly thread: 'worker' | 'main';
  /** A model made in the running program; it can only train in the calling thread. */
  readonly model?: Model;
  /** Cells whose bytes have been copied, list by list. */
  onFreed(cells: Uint32Array): void;
  onStep?(measures: Measures): void;
  onSaved?(path: string, step: number): void;
  onNote?(text: string): void;
}

/** A trainer that is ready, seen from the side that feeds it. */
export interface Trainer {
  /** Where it begins: the loader starts at `ready.position`. */
  readonly ready: Ready;
  /**
   * Hands over the next micro-batch. Ends when the trainer may be handed another: at most two lists are under way.
   * @returns false when the trainer takes no more, because it is done or has failed; `done` says which. Its cells are then free.
   */
  send(list: CellList): Promise<boolean>;
  /** A saved checkpoint was read and may be deleted: where the run is measured as it goes, each stays until then. */
  measured(path: string): void;
  /** The best checkpoint so far, by its name: it stays until another is named. */
  keepBest(name: string): void;
  /** No more lists will come. */
  end(): void;
  /** Finish the step at hand, save, end. */
  stop(): void;
  /** The end of the run, after the thread has ended. Rejects with the trainer's error, or TRAINER_DIED. */
  readonly done: Promise<LoopEnd>;
}

/** Lists sent and not yet copied: one being computed would leave the trainer without the next. */
const underWay = 2;
/** Milliseconds that a thread has to leave after its last word before it is taken for stuck. */
const patience = 5000;

/**
 * Starts a trainer and waits until it is ready.
 * @throws what the trainer throws when it starts (a checkpoint of another pipeline, a backend that is missing), TRAINER_DIED.
 */
export async function startTrainer(options: TrainerOptions): Promise<Trainer> {
  const line = options.thread === 'worker' && options.model === undefined ? workerLine(options) : localLine(options);
  let sent = 0;
  let open = true;
  let wake = () => {};
  let isReady: (ready: Ready) => void;
  const ready = new Promise<Ready>((resolve) => {
    isReady = resolve;
  });

  const lastWord = new Promise<LoopEnd>((resolve, reject) => {
    const close = (settle: () => void) => {
      open = false;
      line.post({ type: 'bye' });
      settle();
      wake();
    };
    line.hear((message) => {
      if (message.type === 'ready') isReady(message.ready);
      else if (message.type === 'freed') {
        sent -= 1;
        options.onFreed(message.cells);
        wake();
      } else if (message.type === 'step') options.onStep?.(message.measures);
      else if (message.type === 'saved') options.onSaved?.(message.path, message.step);
      else if (message.type === 'note') options.onNote?.(message.text);
      else if (message.type === 'done') close(() => resolve(message.end));
      else close(() => reject(unpackError(message.error)));
    });
    // After the last word this changes nothing.
    line.left.then((found) => {
      open = false;
      reject(fail('TRAINER_DIED', { found }));
      wake();
    });
  });

  const done = lastWord.finally(() => leave(line));
  // Heard where it is waited for, which may be later.
  done.then(undefined, () => {});

  return {
    ready: await Promise.race([ready, done.then(() => ready)]),
    send: async (list) => {
      while (open && sent >= underWay) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (!open) {
        options.onFreed(list.cells);
        return false;
      }
      sent += 1;
      line.post({ type: 'micro', ...list });
      return true;
    },
    measured: (path) => line.post({ type: 'measured', path }),
    keepBest: (name) => line.post({ type: 'best', name }),
    end: () => line.post({ type: 'end' }),
    stop: () => line.post({ type: 'stop' }),
    done,
  };
}

/** The two directions between the sides, whatever thread the trainer is in. */
interface Line {
  post(message: ToTrainer): void;
  hear(listener: (message: FromTrainer) => void): void;
  /** Ends when the other side has left, with what it left by. */
  readonly left: Promise<string>;
  /** For a side that is stuck. */
  cut(): Promise<unknown>;
}

function workerLine({ definition, memory, layout }: TrainerSetup): Line {
  // From sources under a loader of TypeScript (tests) the entry is the source; Node hands the loader on to workers.
  const entry = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js';
  const worker = startWorker('the trainer', new URL(entry, import.meta.url), {
    name: 'patchstream trainer',
    workerData: { definition, memory, layout } satisfies TrainerSetup,
    // Its garbage is small, for steps are replayed: by default V8 would keep three times as much.
    resourceLimits: { maxYoungGenerationSizeMb: 16 },
  });
  let cause = '';
  worker.on('error', (error) => {
    cause = `: ${messageOf(error)}`;
  });
  return {
    post: (message) => worker.postMessage(message),
    hear: (listener) => worker.on('message', listener),
    left: new Promise((resolve) => worker.on('exit', (code) => resolve(`exit code ${code}${cause}`))),
    cut: () => worker.terminate(),
  };
}

function localLine({ definition, memory, layout, model }: TrainerSetup & { readonly model?: Model }): Line {
  const { port1, port2 } = new MessageChannel();
  const left = import('./serve.ts')
    .then(({ serve }) => serve(port2, { definition, memory, layout }, model))
    .then(
      () => 'no last word',
      (error: unknown) => {
        port1.close();
        return messageOf(error);
      },
    );
  return {
    post: (message) => port1.postMessage(message),
    hear: (listener) => port1.on('message', listener),
    left,
    cut: async () => port1.close(),
  };
}

/** Waits for the other side to leave, and cuts the line when it does not. */
async function leave(line: Line): Promise<void> {
  let timer: AwakeTimer | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = awake.timer(patience, () => resolve('late'));
  });
  if ((await Promise.race([line.left, late])) === 'late') await line.cut();
  timer?.clear();
}
