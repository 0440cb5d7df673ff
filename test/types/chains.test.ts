import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';

t.test('right chains compile, wrong ones do not', async (t) => {
  const here = process.cwd();
  const dir = t.testdir({
    'wrong.ts': `
import { definePipeline } from '${here}/src/pipeline/define.ts';
import { decode, folder, mask, windows } from '${here}/test/types/stages.ts';
export default definePipeline({ source: folder('./photos'), stages: [decode(), mask(), windows({ size: 5 })] });
`,
  });
  // chains.ts beside this file holds what must and what must not compile, each wrong chain marked; wrong.ts is one without its mark.
  const files = ['test/types/chains.ts', join(dir, 'wrong.ts')];
  const flags = ['--strict', '--exactOptionalPropertyTypes', '--erasableSyntaxOnly', '--allowImportingTsExtensions'];
  const target = ['--target', 'es2022', '--lib', 'es2023', '--module', 'nodenext', '--types', 'node'];
  const args = ['node_modules/typescript/bin/tsc', '--noEmit', '--skipLibCheck', ...flags, ...target, ...files];
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  t.not(status, 0, 'the wrong chain fails');
  t.match(stdout, /wrong\.ts\(4,\d+\): error TS2769: No overload matches/);
  t.match(stdout, /"a stage that needs no `windows`, or a stage in front of it that gives it"/);
  t.same(stdout.match(/^\S.*error TS\d+/gm)?.length, 1, stdout);
});
