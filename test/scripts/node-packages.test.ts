import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { installPackages } from '../../scripts/lib/node-packages.mjs';
import { writeFiles } from '../kit/files/folder.ts';

t.test('packages of a manifest are installed once, and again when it changes', (t) => {
  const root = t.testdir({ 'package.json': '{ "dependencies": { "peer": "1.0.0" } }' });
  const manifest = join(root, 'package.json');
  const folder = join(root, 'node', 'peer');
  const calls: string[] = [];
  let status = 0;
  const machine = {
    env: { PATCHSTREAM_CACHE: root },
    say: () => {},
    runner: (command: string, args: readonly string[]) => {
      calls.push([command, ...args].join(' ').replaceAll(root, '~'));
      writeFiles(folder, { 'node_modules/.package-lock.json': '' });
      return { status, stdout: '', stderr: 'npm error first\nnpm error code E404\n' };
    },
  };
  for (let i = 0; i < 2; i++) t.same(installPackages(manifest, 'peer', machine), { folder });
  t.same(calls, ['npm install --prefix ~/node/peer --ignore-scripts --no-audit --no-fund']);
  writeFileSync(manifest, '{ "dependencies": { "peer": "2.0.0" } }');
  status = 1;
  t.same(installPackages(manifest, 'peer', machine), { missing: 'npm install failed: npm error code E404' });
  t.equal(calls.length, 2);
  t.end();
});
