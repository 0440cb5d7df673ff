import { join } from 'node:path';
import t from 'tap';
import { findImage } from '../../scripts/lib/image.mjs';
import { findLibjpeg } from '../../scripts/lib/libjpeg.mjs';
import { run } from '../../scripts/lib/runner.mjs';
import { writeFiles } from '../kit/files/folder.ts';

const header = { 'usr/include/jpeglib.h': '' };
const config = (version: string) => `#define LIBJPEG_TURBO_VERSION ${version}\n`;
const debian = {
  ...header,
  'usr/include/x86_64-linux-gnu/jconfig.h': config('2.1.5'),
  'usr/lib/x86_64-linux-gnu/libjpeg.so': 'library',
};

const find = (system: string, wish = '', platform: NodeJS.Platform = 'linux') =>
  findLibjpeg(wish, { platform, arch: 'x64', runner: run, system });

t.test('libjpeg-turbo in the paths of the system, and in a folder of the user', (t) => {
  const system = t.testdir({});
  t.equal(find(system), 'no libjpeg-turbo in the paths of the system');
  writeFiles(system, debian);
  t.match(find(system), {
    name: 'libjpeg-turbo',
    version: '2.1.5',
    compile: ['-std=c++17', '-ffp-contract=off'],
    link: [/^-L/, '-ljpeg'],
  });
  const own = join(system, 'own');
  writeFiles(own, { 'include/jpeglib.h': '', 'include/jconfig.h': config('3.0.1'), 'lib/libjpeg.so': 'library' });
  const found = find(system, own);
  t.match(found, { version: '3.0.1', place: own, link: [/^-L/, '-ljpeg', `-Wl,-rpath,${join(own, 'lib')}`] });
  t.match((found as { compile: string[] }).compile, [
    '-std=c++17',
    '-ffp-contract=off',
    '-isystem',
    join(own, 'include'),
  ]);
  t.equal(find(system, '/nowhere'), 'LIBJPEG=/nowhere: no jpeglib.h in /nowhere/include');
  t.end();
});

t.test('what is there and does not serve is named', (t) => {
  const system = t.testdir({});
  writeFiles(system, { ...header, 'usr/include/jconfig.h': '#define JPEG_LIB_VERSION 90\n' });
  t.match(find(system), /is not libjpeg-turbo$/);
  for (const version of ['1.5.3', '2.0', '2.0.5', '1.9.9']) {
    writeFiles(system, { 'usr/include/jconfig.h': config(version) });
    t.match(find(system), new RegExp(`is ${version}; 2\\.0\\.6 or newer is needed$`));
  }
  for (const version of ['2.0.6', '2.0.90', '2.1', '3.0.0', '10.0.0']) {
    writeFiles(system, { 'usr/include/jconfig.h': config(version) });
    t.match(find(system), /^no libjpeg\.so in /, version);
  }
  t.end();
});

const versionOf = (found: { version: string } | string) => (typeof found === 'string' ? found : found.version);

t.test('beside libjpeg-turbo the libraries of other formats, each where it is there and new enough', (t) => {
  const system = t.testdir({});
  writeFiles(system, debian);
  const image = (wish = '') => findImage(wish, { platform: 'linux', arch: 'x64', runner: run, system });
  t.equal(versionOf(image()), '2.1.5', 'libjpeg-turbo alone');
  const lib = 'usr/lib/x86_64-linux-gnu';
  writeFiles(system, { 'usr/include/png.h': '', [`${lib}/libpng.so`]: 'library' });
  t.equal(versionOf(image()), '2.1.5', 'of an unknown version');
  writeFiles(system, { [`${lib}/pkgconfig/libpng.pc`]: 'Name: libpng\nVersion: 1.5.30\n' });
  t.equal(versionOf(image()), '2.1.5', 'of an old version');
  writeFiles(system, { [`${lib}/pkgconfig/libpng.pc`]: 'Name: libpng\nVersion: 1.6.39\n' });
  const found = image() as { compile: string[]; link: string[]; identity: string };
  t.match(found, { version: '2.1.5, libpng 1.6.39' });
  t.ok(found.compile.includes('-DPATCHSTREAM_PNG') && found.link.includes('-lpng'));
  const own = join(system, 'own');
  writeFiles(own, { 'include/jpeglib.h': '', 'include/jconfig.h': config('3.0.1'), 'lib/libjpeg.so': 'library' });
  t.match(image(own), { version: '3.0.1, libpng 1.6.39', place: own }, 'of the system, beside a folder of the user');
  writeFiles(own, { 'include/png.h': '', 'lib/libpng.so': '', 'lib/pkgconfig/libpng.pc': 'Version: 1.6.50\n' });
  t.match(image(own), { version: '3.0.1, libpng 1.6.50' });
  t.equal(image('/nowhere'), 'LIBJPEG=/nowhere: no jpeglib.h in /nowhere/include');
  t.end();
});
