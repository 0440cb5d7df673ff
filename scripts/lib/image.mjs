import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { findLibjpeg } from './libjpeg.mjs';
import { triples } from './libtorch.mjs';
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
  },
  {
    name: 'libwebp',
    header: 'webp/decode.h',
    library: 'webp',
    homebrew: 'webp',
    least: [1, 0],
    define: 'PATCHSTREAM_WEBP',
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
function codecAt(codec, wish, { platform, arch, system = '/' }) {
  const names =
    platform === 'darwin'
      ? [`opt/homebrew/opt/${codec.homebrew}`, `usr/local/opt/${codec.homebrew}`]
      : ['usr', 'usr/local'];
  const own = join(system, 'usr');
  for (const prefix of [...(wish === '' ? [] : [wish]), ...names.map((name) => join(system, name))]) {
    const include = join(prefix, 'include');
    if (!existsSync(join(include, codec.header))) continue;
    const file = `lib${codec.library}.${platform === 'darwin' ? 'dylib' : 'so'}`;
    const folders = [join('lib', triples[arch] ?? ''), 'lib64', 'lib'].map((folder) => join(prefix, folder));
    const lib = folders.find((folder) => existsSync(join(folder, file)));
    if (lib === undefined) continue;
    const version = versionIn(readIfThere(join(lib, 'pkgconfig', `lib${codec.library}.pc`)));
    if (version === undefined || isOlder(version, codec.least)) continue;
    const { size, mtimeMs } = statSync(join(lib, file));
    return {
      version,
      identity: digest(version, prefix, lib, String(size), String(mtimeMs)),
      compile: [`-D${codec.define}`, ...(prefix === own ? [] : ['-isystem', include])],
      link: [
        `-L${lib}`,
        `-l${codec.library}`,
        ...(prefix === own || platform === 'darwin' ? [] : [`-Wl,-rpath,${lib}`]),
      ],
    };
  }
  return undefined;
}

/** @param {string} text of a file of pkg-config */
const versionIn = (text) => /^Version:\s*(\d[\d.]*)/m.exec(text)?.[1];

/**
 * @param {string} version
 * @param {readonly number[]} least
 */
function isOlder(version, least) {
  const numbers = version.split('.').map(Number);
  const at = least.findIndex((number, i) => number !== (numbers[i] ?? 0));
  return at >= 0 && (numbers[at] ?? 0) < (least[at] ?? 0);
}
