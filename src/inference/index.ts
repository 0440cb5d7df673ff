import { embed } from './embed.ts';
import { predict } from './predict.ts';
import { tokenize } from './tokenize.ts';

/**
 * Trained models put to use: the stages `embed`, `predict` and `tokenize`, and the thread in which a model answers them. A run's checkpoint says what pictures it knows and what its
 * answers mean (`train/weights/trained-on.ts`). Imports train and measures; nothing here loads tfjs but the thread.
 */
export const inferenceStages = [embed, predict, tokenize] as const;

export { embed, predict, tokenize };
