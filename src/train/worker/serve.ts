import type { MessagePort } from 'node:worker_threads';
import type { Model } from '../../models/model.ts';
import { CellReader } from '../cells.ts';
import { train } from '../loop.ts';
import { computeOf } from '../peak.ts';
import { type CellList, type FromTrainer, packError, type ToTrainer, type TrainerSetup } from './protocol.ts';
import { openSession, type Session } from './session.ts';

/**
 * The trainer's side of the line, in a thread of its own or in the calling one: opens the run, takes lists of cells, copies them to the
 * backend and frees them, trains, tells of each step, and says `done` or `error` at last. Never rejects: what is thrown is sent.
 *
 * @param model one made in the running program; otherwise it is built by the definition's name.
 */
export async function serve(port: MessagePort, setup: TrainerSetup, model?: Model): Promise<void> {
  const say = (message: FromTrainer) => port.postMessage(message);
  const inbox = new Inbox(port, (cells) => say({ type: 'freed', cells }));
  try {
    const session = await openSession(setup.definition, {
      model,
      note: (text) => say({ type: 'note', text }),
      saved: (path, step) => say({ type: 'saved', path, step }),
    });
    try {
      const { loop, choice, resumed, passedOver } = session;
      inbox.session = session;
      const parameters = Object.values(loop.params).reduce((sum, { size }) => sum + size, 0);
      const compute = await computeOf(setup.definition, choice);
      say({ type: 'ready', ready: { ...loop.from, ...choice, resumed, passedOver, parameters, compute } });
      const reader = new CellReader(setup.memory, setup.layout);
      let held: Uint32Array | undefined;
      const release = () => {
        if (held !== undefined) say({ type: 'freed', cells: held });
        held = undefined;
      };
      const end = await train({
        ...loop,
        stopping: () => inbox.stopping,
        onStep: async (measures) => {
          await loop.onStep?.(measures);
          say({ type: 'step', measures });
        },
        next: async (midStep) => {
          release();
          const list = await inbox.next(midStep);
          if (list === undefined) return undefined;
          held = list.cells;
          return { ...list, fields: reader.lend(list.cells), release };
        },
      }).finally(release);
      say({ type: 'done', end });
    } finally {
      await session.close();
    }
  } catch (error) {
    say({ type: 'error', error: packError(error) });
  }
  inbox.dismiss();
  await inbox.farewell;
  port.close();
}

/** What has come in over the line and was not yet taken. */
class Inbox {
  stopping = false;
  /** Hears what becomes of checkpoints. */
  session: Pick<Session, 'measured' | 'keepBest' | 'proceed'> | undefined;
  /** Ends when the other side has heard the last word. */
  readonly farewell: Promise<void>;
  readonly #free: (cells: Uint32Array) => void;
  readonly #lists: CellList[] = [];
  #ended = false;
  #dismissed = false;
  #wake = () => {};

  constructor(port: MessagePort, free: (cells: Uint32Array) => void) {
    this.#free = free;
    this.farewell = new Promise((resolve) => {
      port.on('message', (message: ToTrainer) => {
        if (message.type === 'micro') this.#take(message);
        else if (message.type === 'end') this.#ended = true;
        else if (message.type === 'stop') this.#stop();
        else if (message.type === 'measured') this.session?.measured(message.path);
        else if (message.type === 'best') this.session?.keepBest(message.name);
        else resolve();
        this.#wake();
      });
    });
  }

  /** The next list; undefined when none is there and none will come, or the run is to stop and no step is under way. */
  async next(midStep: boolean): Promise<CellList | undefined> {
    // One turn of the event loop, so that a `stop` is heard while lists are waiting, and a loader in this thread gets on.
    await new Promise(setImmediate);
    while (this.#lists.length === 0 && !this.#ended && (midStep || !this.stopping)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#lists.shift();
  }

  /** Gives back, unread, what has come and what is still to come. */
  dismiss(): void {
    this.#dismissed = true;
    for (const { cells } of this.#lists.splice(0)) this.#free(cells);
  }

  #stop(): void {
    this.stopping = true;
    this.session?.proceed();
  }

  #take(list: CellList): void {
    if (this.#dismissed) this.#free(list.cells);
    else this.#lists.push(list);
  }
}
