import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Graph } from '../../../../src/backends/tensorflow/graph/graph.ts';
import { GraphProgram, GraphRefused } from '../../../../src/backends/tensorflow/graph/program.ts';
import { type Run, standInBinding } from '../../../kit/backends/stand-in-binding.ts';

const names = { inputs: ['n0'], outputs: ['n1', 'n2:1'] };

t.test('a graph is loaded from a folder that is gone then, and run in its session until it is disposed of', (t) => {
  const runs: Run[] = [];
  const { backend, loaded, sessions, tensor } = standInBinding(t, (run) => {
    runs.push(run);
    return [5, 6];
  });
  const program = new GraphProgram(backend, new Graph(), names);
  t.equal(loaded.length, 1);
  t.notOk(existsSync(loaded[0]!));
  const outputs = program.run(backend.getInputTensorIds([tensor(3)]));
  t.same(runs, [{ given: { n0: 3 }, wanted: ['n1:0', 'n2:1'] }]);
  t.equal(outputs.length, 2);
  program.dispose();
  t.equal(sessions.size, 0);
  t.end();
});

t.test(
  'a graph that cannot be loaded, or fails when it is first run, is refused; later failures are told as they are',
  (t) => {
    let failing = true;
    const { backend, tensor } = standInBinding(t, () => {
      if (failing) throw new Error('no kernel');
      return [1, 2];
    });
    let folder = '';
    const binding = {
      ...backend.binding,
      loadSavedModel(path: string): number {
        folder = path;
        throw new Error('unknown operation\n\t at n4');
      },
    };
    t.throws(() => new GraphProgram({ ...backend, binding }, new Graph(), names), {
      constructor: GraphRefused,
      message: 'TensorFlow does not load the graph: unknown operation',
    });
    t.not(folder, '');
    t.notOk(existsSync(folder));
    const ids = backend.getInputTensorIds([tensor(3)]);
    const program = new GraphProgram(backend, new Graph(), names);
    t.throws(() => program.run(ids), {
      constructor: GraphRefused,
      message: 'TensorFlow does not run the graph: no kernel',
    });
    failing = false;
    program.run(ids);
    failing = true;
    t.throws(() => program.run(ids), { constructor: Error, message: 'no kernel' });
    program.dispose();
    t.end();
  },
);

t.test('a folder for temporary files that is missing, or goes, is no error of the run', (t) => {
  const before = tmpdir();
  const temporary = join(t.testdir({}), 'temporary');
  process.env.TMPDIR = temporary;
  t.teardown(() => {
    process.env.TMPDIR = before;
  });
  const { backend, sessions } = standInBinding(t);
  t.throws(() => new GraphProgram(backend, new Graph(), names), {
    constructor: GraphRefused,
    message:
      /^the graph cannot be written into the folder for temporary files \(`TMPDIR`\): nothing of this name: .*graph-X/,
  });
  mkdirSync(temporary);
  const binding = {
    ...backend.binding,
    loadSavedModel(folder: string, tags: string): number {
      const session = backend.binding.loadSavedModel(folder, tags);
      renameSync(temporary, `${temporary}.gone`);
      writeFileSync(temporary, 'a file in its place');
      return session;
    },
  };
  const program = new GraphProgram({ ...backend, binding }, new Graph(), names);
  t.equal(sessions.size, 1, 'what was loaded serves');
  program.dispose();
  t.end();
});
