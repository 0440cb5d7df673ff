import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findLibjpeg } from './libjpeg.mjs';
import { isOlder, libraryFolders, libraryIn, prefixesOf } from './library.mjs';
import { digest, readIfThere } from './stamp.mjs';

/**
 * A library that native/image is built with where it is there.
 *
 * @typedef {object} Codec
 * @property {string} name
 * @property {string} header
 * @property {string} library as the linker knows it
 * @property {string} homebrew the name of its formula
 * @property {readonly number[]} least the oldest version that serves
 * @property {string} define the macro that says that it is there
 * @property {string} [needed] a library that it is linked with and that is called as well, where it is there
 */

/** @type {readonly Codec[]} */
const codecs = [
  {
    name: 'libpng',
    header: 'png.h',
    library: 'png',
    homebrew: 'libpng',
    least: [1, 6],
    define: 'PATCHSTREAM_PNG',
    needed: 'z',
  },
  {
    name: 'libwebp',
    header: 'webp/decode.h',
    library: 'webp',
    homebrew: 'webp',
    least: [1, 0],
    define: 'PATCHSTREAM_WEBP',
  },
  {
    name: 'libdeflate',
    header: 'libdeflate.h',
    library: 'deflate',
    homebrew: 'libdeflate',
    least: [1, 0],
    define: 'PATCHSTREAM_DEFLATE',
  },
];

/**
 * Finds what native/image is built with: libjpeg-turbo, as `findLibjpeg` does, and beside it in the same folder or in those of the system the libraries of other
 * formats, each of which may be missing. Answers all of them as one library, or why there is no libjpeg-turbo.
 *
 * @param {string} wish
 * @param {import('./libtorch.mjs').Machine} machine
 * @returns {import('./libtorch.mjs').Library | string}
 */
export function findImage(wish, machine) {
  const jpeg = findLibjpeg(wish, machine);
  if (typeof jpeg === 'string') return jpeg;
  const more = codecs.flatMap((codec) => {
    const found = codecAt(codec, wish, machine);
    return found === undefined ? [] : [{ name: codec.name, ...found }];
  });
  return {
    ...jpeg,
    version: [jpeg.version, ...more.map(({ name, version }) => `${name} ${version}`)].join(', '),
    identity: digest(jpeg.identity, ...more.map(({ identity }) => identity)),
    compile: [...jpeg.compile, ...more.flatMap(({ compile }) => compile)],
    link: [...jpeg.link, ...more.flatMap(({ link }) => link)],
  };
}

/**
 * @param {Codec} codec
 * @param {string} wish
 * @param {import('./libtorch.mjs').Machine} machine
 */
function codecAt({ header, library, homebrew, least, define, needed }, wish, machine) {
  for (const prefix of [...(wish === '' ? [] : [wish]), ...prefixesOf(homebrew, machine)]) {
    if (!existsSync(join(prefix, 'include', header))) continue;
    const version = libraryFolders(prefix, machine.arch)
      .map((folder) => versionIn(readIfThere(join(folder, 'pkgconfig', `lib${library}.pc`))))
      .find((found) => found !== undefined);
    if (version === undefined || isOlder(version, least)) continue;
    const found = libraryIn(library, prefix, version, machine);
    if (typeof found === 'string') continue;
    const more = needed === undefined ? undefined : libraryIn(needed, prefix, version, machine);
    const link = more === undefined || typeof more === 'string' ? found.link : [...found.link, `-l${needed}`];
    return { ...found, version, compile: [`-D${define}`, ...found.compile], link };
  }
  return undefined;
}

/** @param {string} text of a file of pkg-config */
const versionIn = (text) => /^Version:\s*(\d[\d.]*)/m.exec(text)?.[1];
