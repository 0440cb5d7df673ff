import { aboutDetector, landmarksOf } from '../../faces/face-detector.ts';
import { type Absent, type DlibAddon, isAbsent } from '../../native.ts';
import type { Finding } from './finding.ts';

const build = 'npx patchstream doctor --build';

/**
 * What there is to say of the detector that `face-crop` takes. It is never wrong that there is none: most pipelines look for no faces.
 *
 * @param missing why the library dlib is not there, asked for only when the addon is not.
 */
export function facesFinding(
  addon: DlibAddon | Absent,
  missing: () => string | undefined,
  { platform = process.platform, about = aboutDetector() } = {},
): Finding {
  const finding = { what: 'faces', found: about, ok: true };
  if (!isAbsent(addon)) return finding;
  const reason = missing();
  if (reason === undefined) {
    const log = addon.found === 'its addon is not built' ? '' : 'native/dlib/build/build.log has all of it; then: ';
    return { ...finding, fix: `several times as fast: ${log}${build}` };
  }
  const packages = 'apt-get install --no-install-recommends g++ libdlib-dev';
  const own = `DLIB=/path/to/dlib ${build}`;
  const fix = platform === 'linux' ? `${packages} (Debian, Ubuntu), then ${build}; or ${own}` : own;
  return { ...finding, found: `${finding.found}; ${reason}`, fix: `several times as fast: ${fix}` };
}

/** What there is to say of landmarks, which `face-crop` needs to align crops; nothing where there is no detector. They are as optional. */
export function landmarksFinding(found = landmarksOf()): Finding[] {
  if (found === undefined) return [];
  const finding = { what: 'landmarks', ok: true };
  if (typeof found === 'string') return [{ ...finding, found }];
  return [{ ...finding, found: `missing: ${found.found}`, fix: `to align faces: ${found.remedy}` }];
}
