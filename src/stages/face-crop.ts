import { z } from 'zod';
import { fail, type ValidationIssue } from '../errors.ts';
import { chooseDetector } from '../faces/face-detector.ts';
import { frameAround } from '../faces/face-frame.ts';
import { type Face, faceDetectors, overlapOf } from '../faces/faces.ts';
import { type Landmarks, landmarkCount } from '../faces/landmarks.ts';
import { type Drop, drop, type Sample } from '../streams/sample.ts';
import { boxAround, faceBorders, faceShapes } from '../vision/face-box.ts';
import type { Box } from '../vision/picture.ts';
import type { WithBox } from './crop-box.ts';
import { checkBefore, type WithPicture } from './size.ts';
import { defineStage } from './stage.ts';

/** Which of the faces of a picture become samples. */
const choices = ['all', 'largest', 'best', 'matching'] as const;

/** What a face has beside its picture: where it is, int32 [left, top, width, height] in pixels of the picture it was found in, and how sure that is. */
export interface WithFace extends WithPicture {
  readonly box: Int32Array;
  readonly confidence: number;
  /** float32 [68, 2], where they are asked for: see `Landmarks`. Of a picture that is kept without a face, NaN. */
  readonly landmarks?: Landmarks;
}

/**
 * Finds the faces of the picture and cuts them out. With `faces: all` a picture becomes as many samples as it has faces, the surest first, with the keys
 * `…/1`, `…/2`; with the others it stays one sample. `picture` becomes the crop, which is rendered where it is needed and from the file, `box` and
 * `confidence` are added (and `landmarks`, where asked for), every other field stays. dlib looks through the luma at the scale that `minSide` needs; its boxes
 * come in steps of 1.2. With `align: eyes` the crop is turned so that the eyes lie level, in the same place in each: see `frameAround`.
 * A sample fails with FACES_LARGE, FACES_FAILED, FACES_NONE, PICTURE_BROKEN, PICTURE_MEMORY; without any detector the run ends with FACES_DETECTOR, without
 * the landmarks that it needs with FACES_LANDMARKS.
 */
export const faceCrop = defineStage({
  name: 'face-crop',
  summary: 'Finds the faces of the picture and cuts them out: one photo becomes a sample for each face.',
  policies: ['none'],
  options: z.strictObject({
    minSide: z
      .int()
      .min(20)
      .max(65535)
      .default(80)
      .describe(
        "The least side of a face's box, in pixels of the picture; smaller faces are left out. The larger, the faster.",
      ),
    faces: z
      .enum(choices)
      .default('all')
      .describe(
        "Which faces: all, the largest, the best (of the highest confidence), or the one that lies where the sample's box says.",
      ),
    overlap: z
      .number()
      .gt(0)
      .max(1)
      .default(0.3)
      .describe('For matching: the least overlap of the face and the labelled box, intersection over union.'),
    onNoFace: z
      .enum(['drop', 'keep', 'fail'])
      .default('drop')
      .describe(
        'What happens to a picture without such a face: dropped and counted, kept whole with confidence 0, or a failure.',
      )
      .meta({ formerly: 'none' }),
    margin: z
      .number()
      .min(0)
      .max(4)
      .default(0)
      .describe("How much to add on each side of the face's box, as a share of its longer side."),
    shape: z
      .enum(faceShapes)
      .default('square')
      .describe('The shape of the crop: square around the middle of the face, or as the face was found.'),
    border: z
      .enum(faceBorders)
      .default('move')
      .describe(
        'A crop that juts out of the picture is moved inside (and made smaller where it must), or padded with black.',
      ),
    align: z
      .enum(['none', 'eyes'])
      .default('none')
      .describe(
        'Whether the crop is turned: eyes lays them level, at 0.3 and 0.7 of its width and 0.3 of its height (without a margin).',
      ),
    landmarks: z
      .boolean()
      .default(false)
      .describe('Whether each face has its 68 landmarks as a field, float32 [68, 2], in pixels of the picture.'),
    detector: z
      .enum(['auto', ...faceDetectors])
      .default('auto')
      .describe('What finds the faces; auto takes dlib where it is built, else face-api.'),
    minConfidence: z
      .number()
      .min(-1)
      .max(10)
      .optional()
      .describe("The least confidence of a face. Default: the detector's own threshold, dlib 0, face-api 0.5."),
  }),
  shorthand: 'minSide',
  needs: ['picture'],
  // While one is scanned, the luma of the next is made.
  perThread: 2,
  *check({ faces, align, shape }, spec): Iterable<ValidationIssue> {
    yield* checkBefore('face-crop', spec);
    if (align === 'eyes' && shape === 'found') yield { option: 'align', error: fail('FACES_ALIGN_SHAPE', {}) };
    if (faces === 'matching' && !spec.open && spec.fields.box === undefined) {
      const fields = Object.keys(spec.fields).join(', ') || 'none';
      yield { option: 'faces', error: fail('FACES_LABEL', { fields }) };
    }
  },
  output: ({ size: _, ...spec }, { landmarks }) => ({
    ...spec,
    fields: {
      ...spec.fields,
      box: { dtype: 'int32', shape: [4] },
      confidence: { dtype: 'float32', shape: [] },
      ...(landmarks && { landmarks: { dtype: 'float32', shape: [landmarkCount, 2] } as const }),
    },
  }),
  run({ detector: wanted, minSide, minConfidence, faces, overlap, onNoFace, align, ...how }, _, { signal }) {
    const landmarks = how.landmarks || align === 'eyes';
    const detector = chooseDetector(wanted, { landmarks });
    return async (
      sample: Sample & WithPicture & Partial<WithBox>,
    ): Promise<(Sample & WithFace) | (Sample & WithFace)[] | Drop> => {
      const { picture } = sample;
      const found = await detector.detect(picture, { minSide, minConfidence, landmarks, signal });
      const cut = (face: Face): Sample & WithFace => ({
        ...sample,
        picture:
          align === 'eyes'
            ? picture.cropTurned(frameAround(face.landmarks!, picture, how))
            : picture.cropPadded(boxAround(face.box, picture, how)),
        box: numbersOf(face.box),
        confidence: face.confidence,
        ...(how.landmarks && { landmarks: face.landmarks! }),
      });
      if (faces === 'all' && found.length > 0) return found.map(cut);
      const one = choose[faces](found, sample.box, overlap);
      if (one !== undefined) return cut(one);
      if (onNoFace === 'fail') throw fail('FACES_NONE', { minSide });
      if (onNoFace === 'drop') return drop('no face');
      const whole = { left: 0, top: 0, width: picture.width, height: picture.height };
      const unknown = how.landmarks && { landmarks: new Float32Array(2 * landmarkCount).fill(Number.NaN) };
      return { ...sample, box: numbersOf(whole), confidence: 0, ...unknown };
    };
  },
});

const areaOf = ({ box: { width, height } }: Face) => width * height;

/** The face that a choice means, if there is one. Of equal ones the surest, which comes first. */
const choose: Record<
  (typeof choices)[number],
  (faces: readonly Face[], label: ArrayLike<number> | undefined, least: number) => Face | undefined
> = {
  all: ([first]) => first,
  best: ([first]) => first,
  largest: (faces) => greatest(faces, areaOf),
  matching(faces, label, least) {
    if (label === undefined) return undefined;
    const place: Box = { left: label[0]!, top: label[1]!, width: label[2]!, height: label[3]! };
    return greatest(
      faces.filter(({ box }) => overlapOf(box, place) >= least),
      ({ box }) => overlapOf(box, place),
    );
  },
};

function greatest(faces: readonly Face[], measure: (face: Face) => number): Face | undefined {
  return faces.reduce<Face | undefined>(
    (most, face) => (most === undefined || measure(face) > measure(most) ? face : most),
    undefined,
  );
}

const numbersOf = ({ left, top, width, height }: Box) => Int32Array.of(left, top, width, height);
