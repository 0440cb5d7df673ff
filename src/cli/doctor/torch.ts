import type { Absent, TorchAddon } from '../../native.ts';
import { isAbsent } from '../../native.ts';
import type { Finding } from './finding.ts';

const what = 'backend torch';
const build = 'npx patchstream doctor --build';
const own = `LIBTORCH=/path/to/libtorch ${build}, or LIBTORCH=python3 for the torch of pip`;

const newer = `steps in bfloat16 1.05 to 1.26 times as fast, measured with PyTorch 2.15: pip install torch, then LIBTORCH=python3 ${build}`;

/**
 * What there is to say of the backend `torch`. It is never wrong that it is missing: wasm trains in its place.
 *
 * @param missing why libtorch is not there, asked for only when the addon is not.
 */
export function torchFinding(
  addon: TorchAddon | Absent,
  missing: () => string | undefined,
  platform = process.platform,
): Finding {
  if (!isAbsent(addon)) {
    const { version, cudaDevices, mps, bfloat16, panels, tiles } = addon.info();
    const gpus = Array.from({ length: cudaDevices }, (_, index) => `cuda:${index}`);
    const devices = ['cpu', ...gpus, ...(mps ? ['mps'] : [])];
    const narrow = bfloat16 ? '; `precision: bfloat16` is faster here' : '';
    const special = [...(panels ? ['AVX-512'] : []), ...(tiles ? ['AMX'] : [])];
    const loops = special.length > 0 ? `; loops for ${special.join(' and ')}` : '';
    const found = `libtorch ${version}, on ${devices.join(', ')}${narrow}${loops}`;
    // Debian's has slower convolutions and attention for such tiles (docs/results.md); without them it is the faster one.
    const older = tiles && Number.parseInt(version, 10) < 2;
    return { what, found, ok: true, ...(older && { fix: newer }) };
  }
  const reason = missing();
  if (reason === undefined) {
    const failed = addon.found !== 'its addon is not built';
    const fix = failed ? `native/torch/build/build.log has all of it; then: ${build}` : `faster training: ${build}`;
    return { what, found: `${addon.found}; libtorch is there`, ok: true, fix };
  }
  const packages = 'apt-get install --no-install-recommends g++ libtorch-dev libopenblas0';
  const fix = platform === 'linux' ? `${packages} (Debian, Ubuntu), then ${build}; or ${own}` : own;
  return { what, found: `${addon.found}; ${reason}`, ok: true, fix: `faster training: ${fix}` };
}
