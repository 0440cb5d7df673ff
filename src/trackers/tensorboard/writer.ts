import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { EventOf, Progress, RunEvent, Started, StepDone } from '../../events/events.ts';
import { unlessGone } from '../../whole-file.ts';
import type { TrackedRun, Tracker } from '../define.ts';
import { EventFile } from './event-file.ts';
import {
  type EncodedPicture,
  hparamsEndEvent,
  hparamsEvent,
  pictureEvent,
  scalarsEvent,
  startEvent,
  versionEvent,
} from './event-protos.ts';

/** Milliseconds between two entries of how far a job has come. */
const progressEveryMs = 2000;

const mostPictures = 16;

/** The measures of a step under the names by which TensorBoard groups them. */
const stepTags = {
  loss: 'train/loss',
  lr: 'train/learning_rate',
  gradNorm: 'train/gradient_norm',
  paramNorm: 'train/parameter_norm',
  epoch: 'train/epoch',
  imagesPerSecond: 'speed/images_per_second',
  dataWaitMs: 'speed/data_wait_ms',
  permitWaitMs: 'speed/permit_wait_ms',
  uploadMs: 'speed/upload_ms',
  passMs: 'speed/pass_ms',
  updateMs: 'speed/update_ms',
  microBatch: 'speed/micro_batch',
  ringFill: 'speed/ring_fill',
  cores: 'speed/cores',
} as const satisfies Partial<Record<keyof StepDone, string>>;

/**
 * Opens a new file for the run. One that resumes an earlier run begins behind its steps, and readers forget what the earlier file has of later ones, which are
 * done again. Steps count from 1: numbers at step n are of the n-th step, and an evaluation at n comes after it.
 *
 * @param now milliseconds since 1970.
 */
export async function openTensorboard(
  { everySteps }: { readonly everySteps: number },
  { started, folder }: Pick<TrackedRun, 'started' | 'folder'>,
  now: () => number = Date.now,
): Promise<Tracker> {
  const file = await EventFile.create(join(folder, 'tensorboard'), now);
  const done = started.training?.step ?? 0;
  let step = done;
  let progressAt = Number.NEGATIVE_INFINITY;
  const at = (which = step) => ({ seconds: now() / 1000, step: which });
  try {
    await file.add(
      versionEvent(now() / 1000),
      startEvent(at(done === 0 ? 0 : done + 1)),
      hparamsEvent(at(), hparamsOf(started)),
    );
    await file.flush();
  } catch (error) {
    await Promise.allSettled([file.close()]);
    throw error;
  }

  // The last checkpoint's evaluation and that of the end are of one step.
  const known = new Set<string>();
  const evaluated = async ({ step, numbers }: EventOf<'evaluation'>) => {
    const fresh = Object.entries(numbers).filter(([name]) => !known.has(`${step} ${name}`));
    for (const [name] of fresh) known.add(`${step} ${name}`);
    await file.add(scalarsEvent(at(step), Object.fromEntries(fresh.map(([name, n]) => [`evaluation/${name}`, n]))));
    // It took long, and a killed run does not repeat it.
    await file.flush();
  };
  const finished = async ({ how, summary }: EventOf<'finished'>) => {
    for (const path of (summary?.files ?? []).slice(0, mostPictures)) {
      const picture = await pictureIn(path);
      if (picture) await file.add(pictureEvent(at(), `pictures/${basename(path, '.png')}`, picture));
    }
    await file.add(hparamsEndEvent(at(), how === 'completed'));
  };
  const progressed = async (progress: Progress) => {
    if (now() - progressAt < progressEveryMs) return;
    progressAt = now();
    step = progress.ended ?? progress.done;
    await file.add(scalarsEvent(at(), progressScalars(progress)));
  };
  return {
    event(event: RunEvent): void | Promise<void> {
      if (event.type === 'step') {
        step = event.step + 1;
        return step % everySteps === 0 ? file.add(scalarsEvent(at(), stepScalars(event))) : undefined;
      }
      if (event.type === 'evaluation') return evaluated(event);
      // What a resumed run does not repeat is in the file.
      if (event.type === 'checkpoint') return file.flush();
      if (event.type === 'progress' && started.kind === 'job') return progressed(event);
      return event.type === 'finished' ? finished(event) : undefined;
    },
    close: () => file.close(),
  };
}

function stepScalars(event: StepDone): Record<string, number> {
  const named = Object.entries(stepTags).map(([name, tag]) => [tag, event[name as keyof typeof stepTags]] as const);
  return Object.fromEntries(named);
}

function progressScalars({ imagesPerSecond, samples, failures, queues = {} }: Progress): Record<string, number> {
  const waiting = Object.entries(queues).map(([stage, count]) => [`waiting/${stage}`, count] as const);
  return {
    'speed/images_per_second': imagesPerSecond,
    ...(samples && { 'samples/delivered': samples.delivered, 'samples/dropped': samples.dropped }),
    'samples/failed': samples?.failed ?? failures,
    ...Object.fromEntries(waiting),
  };
}

/** The options of a pipeline, one by one: `train.model.lomar.size`. Not how many work at a time. */
export function hparamsOf({ pipeline }: Pick<Started, 'pipeline'>): Record<string, number | string | boolean> {
  const { permits: _p, threads: _t, reads: _d, track: _r, environment: _e, ...options } = pipeline;
  const flat: Record<string, number | string | boolean> = {};
  const walk = (value: unknown, path: string) => {
    if (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean') flat[path] = value;
    else if (typeof value === 'object' && value !== null)
      for (const [key, inner] of Object.entries(value)) walk(inner, path === '' ? key : `${path}.${key}`);
  };
  walk(options, '');
  return flat;
}

/** A picture that a run has made; nothing for other files, and for one that is gone by now. */
async function pictureIn(path: string): Promise<EncodedPicture | undefined> {
  if (!path.endsWith('.png')) return undefined;
  const bytes = await readFile(path).catch(unlessGone);
  if (bytes === undefined) return undefined;
  // Behind the signature, and the length and name of the first chunk.
  return { bytes, width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
}
