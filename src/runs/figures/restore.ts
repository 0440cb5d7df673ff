import { basename } from 'node:path';
import { fail } from '../../errors.ts';
import type { Trained } from '../../inference/trained.ts';
import { abilities } from '../../measures/define.ts';
import {
  evaluateReconstruction,
  type ReconstructionErrors,
  type RestoredImage,
} from '../../measures/reconstruction/errors.ts';
import { isRestorer, type Model, type Restorer } from '../../models/model.ts';
import { hiddenInWindow, hiddenOnGrid } from '../../vision/masks.ts';
import { fieldsOf, maskOf, openFigureModel, windowOf } from './model.ts';
import { photosOf } from './photos.ts';

/** A photograph whose patches were hidden in one ratio and restored. */
export interface RestoredRow {
  readonly photo: string;
  readonly ratio: number;
  /** Patches that are hidden, of so many: those of the window, or of the whole picture. */
  readonly hidden: number;
  readonly of: number;
  /** Mean squared errors over the hidden pixels, in normalised pixels. */
  readonly errors: ReconstructionErrors;
  readonly image: RestoredImage;
}

export interface Restored {
  readonly model: string;
  /** What a reader of the errors must know. */
  readonly notes: readonly string[];
  readonly rows: readonly RestoredRow[];
}

export interface RestoreOptions {
  /** Shares of the patches that are hidden, each above 0 and below 1. */
  readonly ratios: readonly number[];
  readonly note: (text: string) => void;
}

/**
 * What a trained model restores of photographs: for each photograph and ratio, one window of a model of windows, else the whole picture. The same photograph has the same window and masks each time
 * (`windowOf`, `maskOf`).
 *
 * @throws RECONSTRUCT_MODEL for a model that restores nothing, or reads other fields; MASK_COUNT for a ratio that hides no patch, or all; FIGURE_PICTURE; what opens the model.
 */
export async function restorePhotos(
  trained: Trained,
  paths: readonly string[],
  { ratios, note }: RestoreOptions,
): Promise<Restored> {
  const { definition, model: named, where, size } = trained;
  const cannot = () => fail('RECONSTRUCT_MODEL', { model: named.name }, { where });
  if (definition !== undefined && !abilities.restores.isDefined(definition)) throw cannot();
  const photos = await photosOf(trained, paths);
  const { model, params, dispose } = await openFigureModel(trained, note);
  try {
    if (!isRestorer(model) || !isFed(model)) throw cannot();
    const { patch, K } = model.shape;
    const isWindowed = model.fields.includes('windows');
    const counts = ratios.map((ratio) => countOf(ratio, K * K, isWindowed));
    const notes = new Set<string>();
    const rows: RestoredRow[] = [];
    for (const photo of photos) {
      const window = isWindowed ? windowOf(photo.path, Math.floor(size[0] / patch), K) : undefined;
      for (const [i, ratio] of ratios.entries()) {
        const mask = maskOf(
          photo.path,
          { side: K, hidden: counts[i]!, of: isWindowed ? 'window' : 'picture' },
          trained,
        );
        const fields = fieldsOf(photo, mask, window);
        const hidden = mask.reduce((sum, one) => sum + one, 0);
        const batch = { fields, keys: [basename(photo.path)] };
        const { errors, examples, notes: own } = await evaluateReconstruction({ model, params }, [batch], 1);
        for (const text of own) notes.add(text);
        rows.push({ photo: photo.path, ratio, hidden, of: K * K, errors, image: examples[0]! });
      }
    }
    return { model: named.name, notes: [...notes], rows };
  } finally {
    dispose();
  }
}

/** Whether a photograph with masks and windows is all that the model reads. */
function isFed(model: Model & Pick<Restorer, 'shape'>): boolean {
  const given: readonly string[] = ['picture', 'masks', 'windows', 'lr'];
  return model.fields.includes('masks') && model.fields.every((field) => given.includes(field));
}

/** Patches that a ratio hides of n, as the stage `mask` counts. @throws MASK_COUNT */
function countOf(ratio: number, n: number, isWindowed: boolean): number {
  const hidden = isWindowed ? hiddenInWindow(Math.sqrt(n), ratio) : hiddenOnGrid(n, ratio);
  if (hidden <= 0 || hidden >= n) throw fail('MASK_COUNT', { n, ratio, hidden });
  return hidden;
}
