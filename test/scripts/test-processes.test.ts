import t from 'tap';
import { testProcesses } from '../../scripts/lib/test-processes.mjs';
import { testFiles } from '../../scripts/test.mjs';

t.test(
  'files that leave their process as it is share one, so many at a time, those of tfjs with their like; the others have their own',
  (t) => {
    const files = {
      'pure.test.ts': "import { one } from '../src/one.ts'; import { two } from './kit/two.ts';",
      'folder.test.ts': 'process.cwd();',
      'reads.test.ts': "process.env.X === '1' && process.env.Y.length; process.argv; process.versions.node;",
      'child.test.ts': "import { spawn } from 'node:child_process';",
      'require.test.ts': "import { createRequire } from 'node:module';",
      'env.test.ts': "process.env.X = '1';",
      'unless.test.ts': "process.env.X ??= '1';",
      'more.test.ts': "process.env.X += '1';",
      'argv.test.ts': "process.argv[1] = '1';",
      'named.test.ts': "const { env } = process; env.X = '1';",
      'gone.test.ts': 'delete process.env.X;',
      'signals.test.ts': "process.kill(child.pid, 'SIGTERM');",
      'modules.test.ts': "import { register } from 'node:module';",
      'listens.test.ts': "process.on('exit', () => {});",
      'global.test.ts': 'globalThis.x = 1;',
      'intercepts.test.ts': "t.intercept(fs, 'open');",
      'snapshot.test.ts': 't.matchSnapshot(1);',
      'by-kit.test.ts': "import {\n  three,\n} from './kit/three.ts';",
      'tensors.test.ts': "import { four } from '../src/four.ts';",
      'more-tensors.test.ts': "import { four } from '../src/four.ts';",
      'types.test.ts': "import type { Tensor } from '../src/backends/tf.ts';",
    };
    const folder = t.testdir({
      test: {
        ...files,
        kit: { 'two.ts': '', 'three.ts': "export * from './env.ts';", 'env.ts': 'delete process.env.X;' },
      },
      src: {
        'one.ts': "process.once('x', () => {});",
        'four.ts': "import * as tf from './backends/tf.ts';",
        backends: { 'tf.ts': '' },
      },
    });
    const names = Object.keys(files).map((name) => `test/${name}`);
    const sharing = ['pure', 'folder', 'reads', 'child', 'require', 'types'].map((name) => `test/${name}.test.ts`);
    const tensors = ['test/tensors.test.ts', 'test/more-tensors.test.ts'];
    const own = names.filter((name) => !sharing.includes(name) && !tensors.includes(name)).map((name) => [name]);
    t.same(testProcesses(folder, names), [tensors, sharing, ...own]);
    const many = Array.from({ length: 30 }, () => 'test/pure.test.ts');
    t.same(
      testProcesses(folder, many).map(({ length }) => length),
      [12, 12, 6],
    );
    t.same(testProcesses(folder, ['test/pure.test.ts']), [['test/pure.test.ts']]);
    t.end();
  },
);

t.test('every file of the suite is in one process', (t) => {
  const files = testFiles(process.cwd());
  t.same(testProcesses(process.cwd(), files).flat().sort(), [...files].sort());
  t.end();
});
