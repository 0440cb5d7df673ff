import { prometheus } from './prometheus/prometheus.ts';
import { tensorboard } from './tensorboard/tensorboard.ts';

/**
 * Trackers look at a run from outside: each hears the run's events, and writes or serves them in its own form. One per file or folder, what they need behind
 * `open`, so that `check` and `describe` load none of it. May import events, and what is below them.
 */
export const trackers = [tensorboard, prometheus] as const;

export { prometheus, tensorboard };
