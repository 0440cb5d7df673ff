import { type Absent, isAbsent } from '../../native.ts';
import { aboutRenderer, type NativeRenderer } from '../../vision/render/native.ts';
import type { Finding } from './finding.ts';

const build = 'npx patchstream doctor --build';

/**
 * What there is to say of the renderer. It is never wrong that the native one is missing: sharp renders in its place.
 *
 * @param missing why libjpeg-turbo is not there, asked for only when the addon is not.
 */
export function rendererFinding(
  native: NativeRenderer | Absent,
  missing: () => string | undefined,
  platform = process.platform,
): Finding {
  const finding = { what: 'renderer', found: aboutRenderer(native), ok: true };
  if (!isAbsent(native)) {
    const fix = missingCodecs(native, platform);
    return fix === undefined ? finding : { ...finding, fix };
  }
  if (native.remedy.startsWith('unset')) return { ...finding, fix: `three times as fast: ${native.remedy}` };
  const reason = missing();
  if (reason === undefined) {
    const log = native.found === 'its addon is not built' ? '' : 'native/image/build/build.log has all of it; then: ';
    return { ...finding, fix: `three times as fast: ${log}${build}` };
  }
  const packages =
    'apt-get install --no-install-recommends g++ libjpeg62-turbo-dev libpng-dev libwebp-dev libdeflate-dev';
  const own = `LIBJPEG=/path/to/libjpeg-turbo ${build}`;
  const fix = platform === 'linux' ? `${packages} (Debian; Ubuntu: libjpeg-turbo8-dev), then ${build}; or ${own}` : own;
  return { ...finding, found: `${finding.found}; ${reason}`, fix: `three times as fast: ${fix}` };
}

/** Libraries that the addon may be built without, and what it does itself with them. */
const codecs = [
  { name: 'libpng', what: 'reads PNG', isThere: (native: NativeRenderer) => native.formats.has('png') },
  { name: 'libwebp', what: 'reads WebP', isThere: (native: NativeRenderer) => native.formats.has('webp') },
  { name: 'libdeflate', what: 'writes PNG', isThere: (native: NativeRenderer) => native.encodes('png') !== undefined },
] as const;

function missingCodecs(native: NativeRenderer, platform: NodeJS.Platform): string | undefined {
  const missing = codecs.filter(({ isThere }) => !isThere(native));
  if (missing.length === 0) return undefined;
  const packages = missing.map(({ name }) => (platform === 'linux' ? `${name}-dev` : name)).join(' ');
  const install =
    platform === 'linux' ? `apt-get install --no-install-recommends ${packages} (Debian)` : `install ${packages}`;
  return `what ${missing.map(({ what }) => what).join(', ')} faster: ${install}, then ${build}`;
}
