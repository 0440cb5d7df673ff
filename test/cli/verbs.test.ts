// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in pipeline files look like templates
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import t from 'tap';
import { importedBy } from '../../scripts/lib/test-processes.mjs';
import type { Terminal } from '../../src/cli/command.ts';
import { endNow, StillWatch } from '../../src/cli/ending.ts';
import { commands, main } from '../../src/cli/main.ts';
import { hangupsIgnored } from '../../src/cli/outputs.ts';
import { patchstream } from '../kit/runs/terminal.ts';

t.cleanSnapshot = (text) => text.replaceAll(/(\/[^\s"]*)?\.tap\/fixtures\/[^:/\s"]+\//g, '');

const good = `
source: { image-folder: { path: ./photos } }
stages: [decode, resize: 64, windows: { patch: 8, size: 5, views: 2 }, mask: 0.5]
sink: images
`;

t.test('help, version, and words that are no verbs', async (t) => {
  const help = await patchstream(['--help']);
  t.equal(help.code, 0);
  t.matchSnapshot(help.out);
  for (const { name: verb } of await commands()) {
    const own = await patchstream([verb, '--help']);
    t.equal(own.code, 0);
    t.match(own.out, new RegExp(`^patchstream ${verb} `));
    t.equal((await patchstream(['help', verb])).out, own.out);
  }
  t.match(await patchstream(['--version']), { code: 0, out: /^\d+\.\d+\.\d+\n$/ });
  t.match(await patchstream([]), { code: 2 });
  t.match(await patchstream(['chek']), { code: 2, err: /Did you mean `check`/ });
  t.match(await patchstream(['\u001b[2Jx']), { code: 2, err: /there is no verb `\\u\{1b\}\[2Jx`/ });
  t.match(await patchstream(['run', '--frsh', 'x']), { code: 2, err: /Did you mean `--fresh`/ });
  t.match(await patchstream(['run']), { code: 2, err: /got no <pipeline>/ });
  t.match(await patchstream(['run', 'a.yaml', 'b.yaml']), { code: 2, err: /got a\.yaml b\.yaml/ });
});

t.test('a start loads no verb but the one that is called', (t) => {
  const loaded = importedBy(process.cwd(), 'src/cli/main.ts');
  t.ok(loaded.size < 20, `${loaded.size} files`);
  t.notOk(loaded.has('src/pipeline/builtin.ts'));
  t.end();
});

t.test('check', async (t) => {
  const dir = t.testdir({
    'good.yaml': good,
    'bad.yaml': good.replace('decode', 'dekode').replace('size: 5', 'size: 50'),
  });
  const lacking = await patchstream(['check', join(dir, 'good.yaml')]);
  t.match(lacking, { code: 0, out: /good\.yaml: no problems, but not there: \S+\/photos\n$/, err: '' });
  const hidden = good
    .replace('./photos', '"${PHOTOS}"')
    .replace(/sink:.*/, 'train: { model: lomar, batch: 4, steps: 1 }');
  writeFileSync(join(dir, 'hidden.yaml'), `${hidden}evaluate: { reconstruction: { on: ./held-out } }\n`);
  const secret = await patchstream(['check', '--json', join(dir, 'hidden.yaml')], { env: { PHOTOS: '/very/secret' } });
  t.match(JSON.parse(secret.out), [{ problems: [], absent: ['${PHOTOS}', /held-out$/] }]);
  const files = {
    'digits.yaml': 'idx: { images: ./images.gz, labels: ./labels.gz }',
    'numbers.yaml': 'svhn: ./train.mat',
    'tars.yaml': "webdataset: { path: ['./{0..8}.tar', 'https://example.org/x.tar', ./last.tar] }",
  };
  writeFileSync(join(dir, '0.tar'), '');
  const absent: string[][] = [];
  for (const [name, source] of Object.entries(files)) {
    const chain = source.startsWith('webdataset') ? good : good.replace('decode, ', '');
    writeFileSync(join(dir, name), chain.replace(/source:.*/, `source: { ${source} }`));
    const { out } = await patchstream(['check', '--json', join(dir, name)]);
    absent.push((JSON.parse(out) as { absent: string[] }[])[0]!.absent.map((path) => basename(path)));
  }
  const tars = Array.from({ length: 8 }, (_, i) => `${i + 1}.tar`);
  t.same(absent, [['images.gz', 'labels.gz'], ['train.mat'], [...tars, 'last.tar']], 'files, and all paths of a list');
  t.match(await patchstream(['check', join(dir, 'tars.yaml')]), {
    out: /not there: \S+1\.tar, .*5\.tar, and 4 more\n$/,
  });
  mkdirSync(join(dir, 'photos'));
  t.match(await patchstream(['check', join(dir, 'good.yaml')]), { code: 0, out: /good\.yaml: no problems\n$/ });
  const bad = await patchstream(['check', join(dir, 'bad.yaml')]);
  t.equal(bad.code, 2);
  t.matchSnapshot(bad.err);
  const json = await patchstream(['check', '--json', join(dir, 'good.yaml'), join(dir, 'bad.yaml')]);
  const [first, second] = JSON.parse(json.out);
  t.same(first.problems, []);
  t.match(second.problems[0], { code: 'NAME_UNKNOWN', line: 3, column: 10 });
  t.equal(json.code, 2);
  t.match(await patchstream(['check', join(dir, 'good.yaml'), '--set', 'stages.mask.ratio=7']), {
    code: 2,
    err: /^--set stages\.mask\.ratio=7, stage mask: `ratio`/,
  });
  t.match(await patchstream(['check', join(dir, 'none.yaml')]), {
    code: 2,
    err: /got nothing of this name\. Look at the path/,
  });
  t.match(await patchstream(['check']), { code: 2 });
});

t.test('describe', async (t) => {
  const secret = good.replace('./photos', '"${PHOTOS}"');
  const dir = t.testdir({ 'good.yaml': `name: good\noutput: ./run\npermits: 40\n${secret}` });
  const file = join(dir, 'good.yaml');
  const env = { PHOTOS: '/very/secret' };
  const text = await patchstream(['describe', file], { env });
  // Which renderer it is depends on the machine.
  const [drawn, renderer] = text.out.split('\nrenderer   ');
  t.matchSnapshot(drawn);
  t.match(renderer, /^(native\/image \(libjpeg-turbo \d|sharp: everything, since ).*\n$/);
  const special = join(dir, 'special.yaml');
  writeFileSync(special, good.replace('resize: 64', 'resize: { size: 64, kernel: lanczos }'));
  t.match((await patchstream(['describe', special])).out, /renderer {3}sharp: .*resize has the kernel lanczos/);
  const mermaid = await patchstream(['describe', '--mermaid', file], { env });
  t.matchSnapshot(mermaid.out);
  const json = await patchstream(['describe', '--json', file], { env });
  t.match(JSON.parse(json.out).chain[0], { kind: 'source', id: 'image-folder', options: { path: '${PHOTOS}' } });
  for (const { out, err } of [text, mermaid, json]) t.notMatch(out + err, /secret/);
  t.match(await patchstream(['describe', 'mask']), { code: 0, out: /ratio .* 0\.8/ });
  t.match(await patchstream(['describe', 'maks']), { code: 2, err: /Did you mean `mask`/ });
  t.match(await patchstream(['describe', file]), { code: 2, err: /PHOTOS must be set/ });
});

t.test('describe shows what a module of the user’s own exports', async (t) => {
  const define = `import { defineSink, defineStage } from 'patchstream';
import { z } from 'zod';
const options = z.strictObject({ by: z.number().default(2).describe('The factor.') });`;
  const dir = t.testdir({
    'own.ts': `${define}
export const brighten = defineStage({ name: 'brighten', summary: 'Makes light.', options, shorthand: 'by', needs: ['picture'], output: (spec) => spec, run: () => (sample) => sample });
export const again = brighten;
export const hole = defineSink({ name: 'hole', summary: 'Keeps nothing.', options, open: async () => ({}) });
`,
    'none.ts': 'export const three = 3;',
    'broken.ts': 'throw new Error("mine")',
  });
  const { out, ...rest } = await patchstream(['describe', join(dir, 'own.ts')]);
  t.match(rest, { code: 0, err: '' });
  t.match(out, /^brighten \(stage\)\nMakes light\.\nneeds picture\n.*short for.*\n\n {2}by +a number +2 +The factor\./);
  t.match(out, /\nhole \(sink\)\nKeeps nothing\.\n/);
  t.equal(out.match(/Makes light/g)?.length, 1);
  t.match(await patchstream(['describe', join(dir, 'none.ts')]), { code: 2, err: /PIPELINE_EXPORT/ });
  t.match(await patchstream(['describe', join(dir, 'broken.ts')]), {
    code: 2,
    err: /must load; got mine\..*PIPELINE_MODULE/,
  });
  t.match(await patchstream(['describe', 'zzz']), { code: 2, err: /the module of what is your own \(`\.\/zzz\.ts`\)/ });
});

/** A folder with a pipeline and a few of the fixtures' photos. */
function job(t: { testdir(files: Record<string, string>): string }, text = good): string {
  const dir = t.testdir({ 'job.yaml': `${text}output: ./run\n` });
  mkdirSync(join(dir, 'photos'));
  for (const name of readdirSync('fixtures/photos').slice(0, 30))
    cpSync(join('fixtures/photos', name), join(dir, 'photos', name));
  return join(dir, 'job.yaml');
}

/** More samples than are done before a signal comes; the keys of all are looked at first, so not more than that. */
const endless = 'source.repeat=2000';

t.test('run: to its end, once', async (t) => {
  const file = job(t);
  const first = await patchstream(['run', file, '--seed', '3']);
  t.equal(first.code, 0, first.err);
  t.match(first.out, /^\d+ done in /);
  t.match(await patchstream(['run', file, '--seed', '3']), { code: 0, out: /--fresh/ });
  const bar = await patchstream(['run', file, '--fresh'], { tty: true });
  t.match(bar, { code: 0, err: /█.* images\/s/ });
  const json = await patchstream(['run', file, '--fresh', '--json']);
  const events = json.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string });
  t.equal(events.at(-1)?.type, 'finished');
});

t.test('run: problems, failures and signals by their exit codes', async (t) => {
  const file = job(t);
  t.match(await patchstream(['run', file, '--set', 'seed=x']), { code: 2, err: /`seed` must be/ });
  t.match(await patchstream(['run', file, '--set', 'source.path=./none', '--json']), {
    code: 2,
    out: /"type":"error"/,
  });
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    const set = ['--set', endless, '--fresh', '--json'];
    const stopped = await patchstream(['run', file, ...set], { during: (send) => setTimeout(send, 20, signal) });
    t.equal(stopped.code, code);
    t.match(stopped.err, new RegExp(`cancelled by ${signal}`));
    t.equal(stopped.listening, 0, 'no listener stays behind');
  }
});

t.test('E1: a run outlives who reads it; verbs that only print end with 141', async (t) => {
  const file = job(t);
  const left = await patchstream(['run', file, '--json'], { leaves: ['out'] });
  t.equal(left.code, 0);
  t.match(left.err, /^\nThe output is closed \(EPIPE\); the run continues, and events\.jsonl[^\n]*\n$/, 'once');
  t.match(left.out, /^[^\n]*\n$/, 'nothing is written after that');
  t.match(await patchstream(['run', file, '--json']), { code: 0, out: /"earlier":true/ }, 'it has done its work');
  t.match(await patchstream(['run', file, '--fresh'], { leaves: ['out', 'err'] }), { code: 0 });
  for (const args of [['check', file], ['describe', file], ['describe', 'mask'], ['--help'], ['--version']]) {
    t.equal((await patchstream(args, { leaves: ['out'] })).code, 141, args.join(' '));
  }
  t.equal((await patchstream(['check', file, '--set', 'seed=x'], { leaves: ['out', 'err'] })).code, 2);
});

t.test('E2: a terminal that closes asks once, and not at all where that was ignored at the start', async (t) => {
  const file = job(t);
  const args = ['run', file, '--set', endless, '--json'];
  const twice = (send: (signal: string) => void) => {
    send('SIGHUP');
    send('SIGHUP');
  };
  t.match(await patchstream(args, { during: twice }), { code: 129, listening: 0 });
  const deaf = (send: (signal: string) => void) => {
    send('SIGHUP');
    setTimeout(send, 20, 'SIGTERM');
  };
  const env = { _: '/usr/bin/nohup' };
  t.match(await patchstream([...args, '--fresh'], { during: deaf, env }), { code: 143, listening: 0 });
  t.notOk(hangupsIgnored({ _: '/usr/bin/node' }, process.pid));
  if (process.platform === 'linux' && spawnSync('sh', ['-c', 'true']).status === 0) {
    const child = spawn('sh', ['-c', 'trap "" HUP; echo; read x'], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    t.ok(hangupsIgnored({}, child.pid), 'of a parent that ignores them');
    child.stdin.end('\n');
  }
});

t.test('a hang-up while a verb is loaded ends nothing where hang-ups are ignored', async (t) => {
  const heard: string[] = [];
  const output = { write: () => {}, on: () => {} };
  const done = main(['--version'], {
    stdout: output,
    stderr: output,
    env: { _: '/usr/bin/nohup' },
    on: (signal: string) => heard.push(signal),
    off: (signal: string) => heard.push(`no ${signal}`),
    exit: () => t.fail('the process goes on'),
  } as unknown as Terminal);
  t.same(heard, ['SIGHUP']);
  t.equal(await done, 0);
  t.same(heard, ['SIGHUP', 'no SIGHUP']);
});

t.test('a second signal ends the process', async (t) => {
  const file = job(t);
  const send = (to: (signal: string) => void) => {
    to('SIGINT');
    t.throws(() => to('SIGINT'), /exit 130/);
  };
  const stopped = await patchstream(['run', file, '--set', endless, '--json'], { during: send });
  t.equal(stopped.code, 130);
});

t.test('issue 16: a run that stands still after a signal ends, and by the signal itself', async (t) => {
  let [used, rung] = [0, 0];
  const watch = new StillWatch(
    () => rung++,
    () => used,
  );
  for (let second = 0; second < 1000; second++) {
    used += second % 100 === 99 ? 500 : 1;
    watch.tick();
  }
  t.equal(rung, 0, 'a process that computes now and then');
  for (let second = 0; second < 300; second++) watch.tick();
  t.equal(rung, 1, 'one that does nothing for minutes, once');

  const heard: string[] = [];
  const terminal = {
    off: (signal: string) => heard.push(`off ${signal}`),
    kill: (pid: number, signal: string) => heard.push(`${signal} to ${pid}`),
    exit: (code: number) => {
      throw new Error(`exit ${code}`);
    },
    pid: 12,
  } as unknown as Terminal;
  // As the first process of a container, which no signal ends.
  t.throws(() => endNow(terminal, 'SIGTERM', [['SIGTERM', () => {}]]), /exit 143/);
  t.same(heard, ['off SIGTERM', 'SIGTERM to 12']);
});

t.test('the program itself says what to do when it was not built', async (t) => {
  const dir = t.testdir({});
  mkdirSync(join(dir, 'bin'));
  cpSync('bin/patchstream.mjs', join(dir, 'bin/patchstream.mjs'));
  const { status, stderr } = spawnSync(join(dir, 'bin/patchstream.mjs'), ['check'], { encoding: 'utf8' });
  t.equal(status, 2);
  t.match(stderr, /dist is missing/);
});
