import { statSync } from 'node:fs';
import { join } from 'node:path';
import { fail, type PatchstreamError } from '../errors.ts';
import type { Absent } from '../native.ts';

/** The environment variable that names the model's file. */
const variable = 'PATCHSTREAM_LANDMARKS';

const file = 'shape_predictor_68_face_landmarks.dat';

/** Where packages of the systems put it. */
const folders = ['/usr/share/dlib', '/usr/local/share/dlib', '/opt/homebrew/share/dlib'];

/** The command that gets Debian's and Ubuntu's, and what helps elsewhere. */
const remedy = `apt-get install libdlib-data (Debian, Ubuntu); or ${variable}=/path/to/${file}`;

/** The file of dlib's model of 68 landmarks, or why it is not there. It is looked for, not into. */
export function landmarkModel(env: NodeJS.ProcessEnv = process.env, places = folders): string | Absent {
  const wish = env[variable];
  if (wish !== undefined && wish !== '') {
    return isFile(wish) ? wish : { found: `${variable} names ${wish}, which is no file`, remedy };
  }
  const found = places.map((folder) => join(folder, file)).find(isFile);
  return found ?? { found: `no ${file} in ${places.join(', ')}`, remedy };
}

/** The error for a model that is not there or not sound. It is no picture's fault: where it comes up during a run, the run ends. */
export function landmarksError(found: string): PatchstreamError {
  const advice = `Get it by ${remedy}; or say \`detector: face-api\`, which has its own.`;
  return fail('FACES_LANDMARKS', { found, advice }, { ends: true });
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
