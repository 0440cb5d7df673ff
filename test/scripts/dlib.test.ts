import { join } from 'node:path';
import t from 'tap';
import { findDlib } from '../../scripts/lib/dlib.mjs';
import { run } from '../../scripts/lib/runner.mjs';
import { writeFiles } from '../kit/files/folder.ts';

const revision = (major: number, minor: number) =>
  `#define DLIB_MAJOR_VERSION  ${major}\n#define DLIB_MINOR_VERSION  ${minor}\n#define DLIB_PATCH_VERSION  0\n`;

const find = (system: string, wish = '', platform: NodeJS.Platform = 'linux') =>
  findDlib(wish, { platform, arch: 'x64', runner: run, system });

t.test('dlib in the paths of the system, and in a folder of the user', (t) => {
  const system = t.testdir({});
  t.equal(find(system), 'no dlib in the paths of the system');
  writeFiles(system, {
    'usr/include/dlib/revision.h': revision(19, 24),
    'usr/lib/x86_64-linux-gnu/libdlib.so': 'library',
  });
  t.match(find(system), { name: 'dlib', version: '19.24', compile: ['-std=c++17'], link: [/^-L/, '-ldlib'] });
  const own = join(system, 'own');
  writeFiles(own, { 'include/dlib/revision.h': revision(20, 0), 'lib/libdlib.so': 'library' });
  t.match(find(system, own), {
    version: '20.0',
    place: own,
    compile: ['-std=c++17', '-isystem', join(own, 'include')],
    link: [/^-L/, '-ldlib', `-Wl,-rpath,${join(own, 'lib')}`],
  });
  t.equal(find(system, '/nowhere'), 'DLIB=/nowhere: no dlib/revision.h in /nowhere/include');
  t.end();
});

t.test('what is there and does not serve is named', (t) => {
  const system = t.testdir({});
  writeFiles(system, { 'usr/include/dlib/other.h': '' });
  t.match(find(system), /^no dlib\/revision\.h in /);
  for (const [major, minor] of [
    [18, 18],
    [19, 3],
  ] as const) {
    writeFiles(system, { 'usr/include/dlib/revision.h': revision(major, minor) });
    t.match(find(system), new RegExp(`is ${major}\\.${minor}; 19\\.4 or newer is needed$`));
  }
  writeFiles(system, { 'usr/include/dlib/revision.h': 'not numbers' });
  t.match(find(system), /is NaN\.NaN; /);
  writeFiles(system, { 'usr/include/dlib/revision.h': revision(19, 24) });
  t.match(find(system), /^no libdlib\.so in /);
  t.end();
});
