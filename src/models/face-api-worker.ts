import { parentPort } from 'node:worker_threads';
import { messageOf } from '../errors.ts';
import type { FaceApiAnswer, FaceApiQuestion } from '../vision/faces-face-api.ts';
import { findFaces } from './face-api.ts';

/** The entry of face-api's thread. It answers every question, and lives until the program ends. */
parentPort?.on('message', async ({ id, ...question }: FaceApiQuestion) => {
  const answer = (value: FaceApiAnswer) => parentPort?.postMessage(value);
  try {
    answer({ id, faces: await findFaces(question) });
  } catch (error) {
    answer({ id, error: messageOf(error) });
  }
});
