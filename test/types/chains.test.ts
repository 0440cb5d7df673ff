import { join } from 'node:path';
import t from 'tap';
import { compileErrors } from '../kit/compile.ts';

t.test('right chains compile, wrong ones do not', async (t) => {
  const here = process.cwd();
  const dir = t.testdir({
    'wrong.ts': `
import { definePipeline } from '${here}/src/runs/loader/define.ts';
import { decode, folder, mask, windows } from '${here}/test/types/stages.ts';
export default definePipeline({ source: folder('./photos'), stages: [decode(), mask(), windows({ size: 5 })] });
`,
  });
  // chains.ts beside this file holds what must and what must not compile, each wrong chain marked; wrong.ts is one without its mark.
  const errors = compileErrors(['test/types/chains.ts', join(dir, 'wrong.ts')]);
  t.equal(errors.length, 1, errors.join('\n'));
  t.match(errors[0], /wrong\.ts\(4,\d+\): error TS2769: No overload matches/);
  t.match(errors[0], /"a stage that needs no `windows`, or a stage in front of it that gives it"/);
});
