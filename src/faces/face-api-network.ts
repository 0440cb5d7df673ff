import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as tf from '../backends/tf.ts';
import { prepareWasm } from '../backends/wasm/wasm.ts';

/** What we use of @vladmandic/face-api; its own declarations bring those of all of tfjs. */
interface FaceApi {
  readonly nets: { readonly ssdMobilenetv1: Net; readonly faceLandmark68Net: Net };
  readonly SsdMobilenetv1Options: new (options: { minConfidence: number; maxResults: number }) => object;
  detectAllFaces(input: tf.Tensor3D, options: object): PromiseLike<readonly Detection[]>;
  detectFaceLandmarks(input: tf.Tensor3D): Promise<FaceLandmarks>;
}

interface Net {
  readonly isLoaded: boolean;
  loadFromDisk(folder: string): Promise<void>;
}

/** In pixels of what was shown. */
interface FaceLandmarks {
  readonly positions: readonly { readonly x: number; readonly y: number }[];
}

interface Detection {
  readonly score: number;
  /** In shares of the picture. */
  readonly relativeBox: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
}

/** A picture that is looked through: uint8 RGB [height, width, 3]. */
export interface Shown {
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
  /** The least probability of a face. */
  readonly least: number;
}

const most = 200;

const require = createRequire(import.meta.url);
const weights = () => join(dirname(require.resolve('@vladmandic/face-api/package.json')), 'model');

let loaded: Promise<FaceApi> | undefined;

/**
 * The faces that face-api's SSD MobileNet v1 finds (its build that brings no tfjs of its own, so ours is the only one): five numbers each, [left, top, width,
 * height, probability], in shares of the picture. Makes wasm the backend of this thread.
 */
export async function findFaces({ pixels, width, height, least }: Shown): Promise<Float64Array> {
  loaded ??= load();
  const faceApi = await loaded;
  const input = tf.tensor3d(Int32Array.from(pixels), [height, width, 3], 'int32');
  try {
    const options = new faceApi.SsdMobilenetv1Options({ minConfidence: least, maxResults: most });
    const found = await faceApi.detectAllFaces(input, options);
    return Float64Array.from(
      found.flatMap(({ score, relativeBox: { x, y, width, height } }) => [x, y, width, height, score]),
    );
  } finally {
    input.dispose();
  }
}

/** The 68 landmarks of the face that is shown, by face-api's network of that name: x and y of each, in shares of the picture. */
export async function findLandmarks({ pixels, width, height }: Omit<Shown, 'least'>): Promise<Float64Array> {
  loaded ??= load();
  const faceApi = await loaded;
  const { faceLandmark68Net } = faceApi.nets;
  if (!faceLandmark68Net.isLoaded) await faceLandmark68Net.loadFromDisk(weights());
  const input = tf.tensor3d(Int32Array.from(pixels), [height, width, 3], 'int32');
  try {
    const { positions } = await faceApi.detectFaceLandmarks(input);
    return Float64Array.from(positions.flatMap(({ x, y }) => [x / width, y / height]));
  } finally {
    input.dispose();
  }
}

async function load(): Promise<FaceApi> {
  await prepareWasm();
  const faceApi = require('@vladmandic/face-api/dist/face-api.node-wasm.js') as FaceApi;
  await faceApi.nets.ssdMobilenetv1.loadFromDisk(weights());
  return faceApi;
}
