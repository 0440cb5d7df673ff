import { startsWith } from './jpeg-segments.ts';

/** Whether a colour profile is another than sRGB's, by its name: colours are then not what they look like, and a full decoder converts them. */
export function isForeignProfile(profile: Uint8Array): boolean {
  if (profile.length < 132) return true;
  const view = new DataView(profile.buffer, profile.byteOffset, profile.length);
  if (!startsWith(profile, 16, 'RGB ')) return true;
  const tags = view.getUint32(128);
  for (let i = 0, at = 132; i < tags && at + 12 <= profile.length; i++, at += 12) {
    if (!startsWith(profile, at, 'desc')) continue;
    const from = view.getUint32(at + 4);
    const text = profile.subarray(from, from + view.getUint32(at + 8));
    // Profiles of version 4 write it in UTF-16.
    const name = String.fromCharCode(...text.subarray(0, 512).filter((byte) => byte !== 0));
    return !name.includes('sRGB');
  }
  return true;
}
