import { parentPort } from 'node:worker_threads';
import { messageOf } from '../errors.ts';
import type { FaceApiAnswer, FaceApiQuestion } from './face-api.ts';
import { findFaces, findLandmarks } from './face-api-network.ts';

/** The entry of face-api's thread. It answers every question, and lives until the program ends. */
parentPort?.on('message', async ({ id, want, ...shown }: FaceApiQuestion) => {
  const answer = (value: FaceApiAnswer) => parentPort?.postMessage(value);
  try {
    answer({ id, numbers: await (want === 'faces' ? findFaces(shown) : findLandmarks(shown)) });
  } catch (error) {
    answer({ id, error: messageOf(error) });
  }
});
