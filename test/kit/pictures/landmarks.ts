import { landmarkModel } from '../../../src/faces/landmark-model.ts';
import { landmarkCount } from '../../../src/faces/landmarks.ts';
import { dlibAddon, isAbsent } from '../../../src/native.ts';

const model = landmarkModel();
const addon = dlibAddon();

/** The model of this machine. */
export const modelPath = typeof model === 'string' ? model : '';

/** Why a test of dlib's landmarks cannot run here, or false. */
export const withoutLandmarks = isAbsent(addon) ? addon.found : typeof model === 'string' ? false : model.found;

/** An integer as dlib writes it. */
export function integer(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = Math.abs(value); bytes.length === 0 || rest > 0; rest = Math.floor(rest / 256))
    bytes.push(rest % 256);
  return [bytes.length | (value < 0 ? 0x80 : 0), ...bytes];
}

/** A float, which must be a multiple of 2⁻¹⁰. */
export const float = (value: number): number[] => [...integer(Math.round(value * 1024)), ...integer(-10)];

/** A column of a matrix. */
export const column = (values: readonly number[]): number[] => [
  ...integer(-values.length),
  ...integer(-1),
  ...values.flatMap(float),
];

/** What a small model holds: one round of trees with one split, which moves every landmark by its first or its second step. */
export interface SmallModel {
  readonly trees: readonly { readonly threshold: number; readonly steps: readonly [number, number] }[];
  /** In the face's box, whose corners are (0, 0) and (1, 1). */
  readonly initial: readonly number[];
  readonly features?: readonly [x: number, y: number][];
}

/** Its file, in dlib's format. Feature i lies beside landmark i. */
export function smallModel({
  trees,
  initial,
  features = [
    [0, 0],
    [0, 0],
  ],
}: SmallModel): Uint8Array {
  const leaf = (step: number) => column(initial.map(() => step));
  return Uint8Array.from([
    ...integer(1),
    ...column(initial),
    ...integer(1),
    ...integer(trees.length),
    ...trees.flatMap(({ threshold, steps }) => [
      ...integer(1),
      ...integer(0),
      ...integer(1),
      ...float(threshold),
      ...integer(2),
      ...steps.flatMap(leaf),
    ]),
    ...integer(1),
    ...integer(features.length),
    ...features.flatMap((_, i) => integer(i)),
    ...integer(1),
    ...integer(features.length),
    ...features.flatMap(([x, y]) => [...float(x), ...float(y)]),
  ]);
}

/** Landmarks on a grid in the box. */
export const gridShape = Array.from({ length: landmarkCount }, (_, i) => [
  (i % 8) / 8,
  Math.floor(i / 8) / 16 + 0.25,
]).flat();
