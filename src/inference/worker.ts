import { parentPort, workerData } from 'node:worker_threads';
import type { InferenceSetup } from './protocol.ts';
import { serve } from './serve.ts';

/** The entry of the thread of a trained model. It ends when it is ended. */
if (parentPort !== null) await serve(parentPort, workerData as InferenceSetup);
