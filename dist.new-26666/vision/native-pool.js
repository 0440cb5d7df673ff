import { availableParallelism } from 'node:os';
import { imageAddon, imageOutcomes, isAbsent } from "../native.js";
/** The jobs that this thread has given to native/image. All that have ended by the time of a message come in it. */
export class NativePool {
    addon;
    /** By id; ids are used again. */
    #open = [];
    #free = [];
    #listen = () => this.addon.listen();
    constructor(addon, threads) {
        this.addon = addon;
        addon.open(threads, this.#ended);
    }
    /** An id for a job that is about to be submitted. */
    open(job) {
        const id = this.#free.pop() ?? this.#open.length;
        this.#open[id] = job;
        return id;
    }
    /** Gives the id of a job back that was not submitted. */
    close(id) {
        this.#open[id] = undefined;
        this.#free.push(id);
    }
    #ended = (outcomes, count, messages = []) => {
        setImmediate(this.#listen);
        let broken = 0;
        for (let at = 0; at < count; at += 3) {
            const id = outcomes[at];
            const outcome = outcomes[at + 1];
            const job = this.#open[id];
            this.close(id);
            job.ended(outcome, outcomes[at + 2], outcome === imageOutcomes.broken ? messages[broken++] : '');
        }
    };
}
let pool;
/** The pool of this thread, or why native/image is not there. */
export function nativePool() {
    if (pool === undefined) {
        const addon = imageAddon();
        pool = isAbsent(addon) ? addon : new NativePool(addon, availableParallelism());
    }
    return pool;
}
//# sourceMappingURL=native-pool.js.map