import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { writeFiles } from '../kit/files/folder.ts';
import { gradient, jpeg } from '../kit/pictures/pictures.ts';

const readme = readFileSync('README.md', 'utf8');
const blocks = (language: string) =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(([, text]) => text!);
/** The block of a language that holds `word`. */
const block = (language: string, word: string) => blocks(language).find((text) => text.includes(word))!;

t.test('the two commands are there, and every file that is linked exists', (t) => {
  t.match(readme, /^npm start\b/m);
  t.match(readme, /^npm test\b/m);
  for (const [, path] of readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
    t.doesNotThrow(() => readFileSync(path!), path);
  }
  t.end();
});

t.test('the quickstart in the README is the quickstart', (t) => {
  t.same(parse(block('yaml', 'lomar-quickstart')), parse(readFileSync('pipelines/lomar-quickstart.yaml', 'utf8')));
  t.end();
});

t.test('the stage in full runs in the pipeline that names it, and in a program', async (t) => {
  const root = t.testdir();
  const dark = { ...gradient(40, 40), data: new Uint8Array(40 * 40 * 3) };
  writeFiles(join(root, 'fixtures', 'photos'), {
    'bright.jpg': await jpeg(gradient(240, 200)),
    'dark.jpg': await jpeg(dark),
  });
  writeFileSync(join(root, 'brightness.ts'), block('ts', 'defineStage({'));
  writeFileSync(join(root, 'bright.yaml'), block('yaml', 'brightness.ts'));
  writeFileSync(join(root, 'program.mts'), block('ts', 'const bright = pipeline('));
  mkdirSync(join(root, 'node_modules'));
  for (const name of ['rxjs', 'zod']) symlinkSync(resolve('node_modules', name), join(root, 'node_modules', name));
  symlinkSync(resolve('.'), join(root, 'node_modules', 'patchstream'));

  const job = spawnSync(process.execPath, [resolve('bin/patchstream.mjs'), 'run', 'bright.yaml'], {
    cwd: root,
    encoding: 'utf8',
  });
  t.equal(job.status, 0, job.stderr);
  t.match(job.stdout, /1 done, 1 dropped/);
  const jiti = `import { createJiti } from ${JSON.stringify(resolve('node_modules/jiti/lib/jiti.mjs'))}; await createJiti(${JSON.stringify(root)} + '/').import('./program.mts');`;
  const program = spawnSync(process.execPath, ['--input-type=module', '-e', jiti], { cwd: root, encoding: 'utf8' });
  t.equal(program.status, 0, program.stderr);
  t.match(program.stdout, /Float32Array\(1\)/);
  t.end();
});
