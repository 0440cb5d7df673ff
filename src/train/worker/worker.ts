import { parentPort, workerData } from 'node:worker_threads';
import type { TrainerSetup } from './protocol.ts';
import { serve } from './serve.ts';

/** The entry of the trainer's thread. It ends by itself after the last message. */
if (parentPort !== null) await serve(parentPort, workerData as TrainerSetup);
