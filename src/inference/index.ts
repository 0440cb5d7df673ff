import { embed } from './embed.ts';
import { predict } from './predict.ts';

/**
 * Trained models put to use: the stages `embed` and `predict`, and the thread in which a model answers them. A run's checkpoint says what pictures it knows and what its
 * answers mean (`train/weights/trained-on.ts`). Imports train and measures; nothing here loads tfjs but the thread.
 */
export const inferenceStages = [embed, predict] as const;

export { embed, predict };
