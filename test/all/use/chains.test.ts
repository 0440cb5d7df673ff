import { readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import t from 'tap';
import { compileErrors } from '../../kit/compile.ts';

/** The blocks of TypeScript of a page, as files. */
function examplesOf(page: string): Record<string, string> {
  const blocks = [...readFileSync(page, 'utf8').matchAll(/^```ts\n([\s\S]*?)^```/gm)];
  return Object.fromEntries(blocks.map(([, text], i) => [`${basename(page, '.md')}-${i}.ts`, text!]));
}

// One program for all: reading what they import takes longer than they do.
t.test('right chains and the examples of the pages compile, wrong chains do not', async (t) => {
  const here = process.cwd();
  const examples = { ...examplesOf('README.md'), ...examplesOf('docs/extending.md') };
  t.ok(Object.keys(examples).length >= 5);
  const dir = t.testdir({
    ...examples,
    'wrong.ts': `
import { definePipeline } from '${here}/src/runs/loader/define.ts';
import { decode, folder, mask, windows } from '${here}/test/types/stages.ts';
export default definePipeline({ source: folder('./photos'), stages: [decode(), mask(), windows({ size: 5 })] });
`,
  });
  // test/types/chains.ts holds what must and what must not compile, each wrong chain marked; wrong.ts is one without its mark.
  const files = [...Object.keys(examples), 'wrong.ts'].map((name) => join(dir, name));
  const errors = compileErrors(['test/types/chains.ts', ...files], {
    paths: { patchstream: [resolve('src/index.ts')] },
  });
  t.equal(errors.length, 1, errors.join('\n'));
  t.match(errors[0], /wrong\.ts\(4,\d+\): error TS2769: No overload matches/);
  t.match(errors[0], /"a stage that needs no `windows`, or a stage in front of it that gives it"/);
});
