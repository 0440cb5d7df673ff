import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Answer } from '../../scripts/lib/runner.mjs';
import { installVenv, venvsFolder } from '../../scripts/lib/venv.mjs';
import { writeFiles } from '../kit/files/folder.ts';

const ok: Answer = { status: 0, stdout: 'Python 3.11.7\n', stderr: '' };

/** A machine whose python makes environments with nothing in them; `answers` by a part of the command line. */
function machineAt(root: string, answers: Record<string, Answer> = {}) {
  const lines: string[] = [];
  const said: string[] = [];
  return {
    lines,
    said,
    env: { PATCHSTREAM_CACHE: root },
    say: (line: string) => said.push(line),
    runner(command: string, args: readonly string[]) {
      const line = [command, ...args].join(' ');
      lines.push(line.replaceAll(root, '~'));
      const answer = Object.entries(answers).find(([part]) => line.includes(part))?.[1] ?? ok;
      if (answer.status === 0 && args.includes('venv')) writeFiles(args.at(-1)!, { 'bin/python': '' });
      if (line.includes('sysconfig')) return { ...ok, stdout: `${join(command, '..', '..')}\n` };
      return answer;
    },
  };
}

t.test('packages of a manifest are installed once into a folder named after it, and again when it changes', (t) => {
  const root = t.testdir({ 'peer-1.txt': 'peer==1.0\n' });
  const manifest = join(root, 'peer-1.txt');
  const machine = machineAt(root);
  const python = join(root, 'python', 'peer-1', 'bin', 'python');
  t.same(installVenv(manifest, machine), { python });
  const installs = () => machine.lines.filter((line) => line.includes('pip install'));
  t.same(installs(), [
    '~/python/peer-1/bin/python -m pip install --no-input --disable-pip-version-check -r ~/peer-1.txt',
  ]);
  t.match(machine.said.join(), /Undo: remove the folder/);
  t.same(installVenv(manifest, machine), { python });
  t.equal(installs().length, 1);
  writeFileSync(manifest, 'peer==1.1\n');
  installVenv(manifest, machine);
  t.equal(installs().length, 2);
  t.end();
});

t.test('an installation that failed gives the reason and is tried again', (t) => {
  const root = t.testdir({ 'peer.txt': 'peer==9\n' });
  const failed = { status: 1, stdout: '', stderr: 'WARNING: old\nERROR: No matching distribution found for peer==9\n' };
  const first = machineAt(root, { 'pip install': failed });
  t.same(installVenv(join(root, 'peer.txt'), first), {
    missing: 'pip install failed: ERROR: No matching distribution found for peer==9',
  });
  t.ok('python' in installVenv(join(root, 'peer.txt'), machineAt(root)));
  const none = machineAt(root, { '--version': { status: 127, stdout: '', stderr: '' } });
  t.match(installVenv(join(root, 'peer.txt'), none), { missing: /there is no python3/ });
  t.end();
});

t.test('a folder of that name that someone else made stays as it is', (t) => {
  const root = t.testdir({ 'peer.txt': 'peer==1\n', python: { peer: { 'mine.txt': 'mine' } } });
  t.match(installVenv(join(root, 'peer.txt'), machineAt(root)), { missing: /not one of ours/ });
  t.ok(existsSync(join(root, 'python/peer/mine.txt')));
  t.end();
});

t.test('an environment may stand on another, whose packages it sees', (t) => {
  const root = t.testdir({ 'peer.txt': 'peer==1\n' });
  installVenv(join(root, 'peer.txt'), machineAt(root), { on: '/base/bin/python' });
  t.equal(readFileSync(join(root, 'python/peer/on.pth'), 'utf8'), '/base\n');
  t.end();
});

t.test('environments lie in the cache folder of the user', (t) => {
  t.equal(venvsFolder({}, '/me'), '/me/.cache/patchstream/python');
  t.equal(venvsFolder({ XDG_CACHE_HOME: '/c' }, '/me'), '/c/patchstream/python');
  t.equal(venvsFolder({ PATCHSTREAM_CACHE: 'off' }, '/me'), '/me/.cache/patchstream/python');
  t.equal(venvsFolder({ PATCHSTREAM_CACHE: '/d', XDG_CACHE_HOME: '/c' }, '/me'), '/d/python');
  t.end();
});
