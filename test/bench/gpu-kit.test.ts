import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readArguments } from '../../bench/gpu/arguments.ts';
import { compareAnswers } from '../../bench/gpu/differences.ts';
import { Check, type Totals } from '../../bench/gpu/harness.ts';
import { cards, findTorch, requireRoom, whyNoDevice } from '../../bench/gpu/machine.ts';
import { runProcess } from '../../bench/gpu/process.ts';
import { DiskFull, fullDisk, type Row, Rows } from '../../bench/gpu/rows.ts';
import { getAddon } from '../../bench/gpu/sections/addon.ts';
import { allowance, sections } from '../../bench/gpu/sections.ts';
import { flopOf, kitPlan } from '../../bench/gpu/settings.ts';
import type { Runner } from '../../scripts/lib/runner.mjs';

const names = ['parity', 'steps'];

t.test('arguments: what was asked for, and one line for what is not known', (t) => {
  t.match(readArguments(['a'], { OUT: '/rows' }, names), {
    device: 'cuda:0',
    tiny: false,
    shipped: false,
    out: '/rows',
  });
  t.match(readArguments(['b', '--device', 'cuda', '--only', 'steps,parity', '--tiny'], {}, names), {
    device: 'cuda:0',
    shipped: true,
    tiny: true,
    only: ['steps', 'parity'],
  });
  for (const [args, line] of [
    [['c'], /no script c/],
    [[], /no script/],
    [['a', '--device', 'gpu'], /--device gpu is no device/],
    [['a', '--seconds', 'soon'], /--seconds soon is no time/],
    [['a', '--only', 'speed'], /no section speed: they are parity, steps/],
    [['a', '--fast'], /Unknown option '--fast'/],
  ] as const)
    t.throws(() => readArguments(args, {}, names), { message: line }, String(line));
  t.end();
});

t.test('budgets: those behind keep what is theirs, and all end in time whatever each takes', (t) => {
  const [first, ...behind] = [
    { seconds: 70, least: 25 },
    { seconds: 50, least: 20 },
    { seconds: 130, least: 60 },
  ];
  t.equal(allowance(first!, behind, 280), 70, 'as much as it wants');
  t.equal(allowance(first!, behind, 120), 40, 'what the others leave');
  t.equal(allowance(first!, behind, 60), 25, 'its least, though those behind lose');
  t.equal(allowance(first!, behind, 10), 10, 'what there is');
  t.equal(allowance(first!, behind, 4), 0, 'too little to begin');
  for (const script of ['a', 'b'] as const) {
    const own = sections.filter((section) => section.script === script);
    let left = 280 - 45;
    for (const [i, section] of own.entries()) {
      const seconds = allowance(section, own.slice(i + 1), left);
      t.ok(seconds >= section.least, `${script} ${section.name}: ${seconds} s when all before took theirs`);
      left -= seconds;
    }
    t.ok(left >= 0, `${script}: ${left} s left`);
  }
  t.end();
});

t.test('rows: a line of JSON each, at once, with section and seconds; a full disk is one line', (t) => {
  let now = 1000;
  const printed: string[] = [];
  const rows = new Rows(
    { folder: join(t.testdir({}), 'new'), name: 'a.jsonl' },
    { print: (line) => printed.push(line), now: () => now },
  );
  now = 3460;
  rows.write('parity', { what: 'lomar', loss: 1e-7, ok: true });
  t.same(readFileSync(rows.path, 'utf8'), '{"section":"parity","at":2.5,"what":"lomar","loss":1e-7,"ok":true}\n');
  rows.write('suites', { what: 'torch', ok: false });
  rows.write('resume', { cut: 'its 20 s were over', ok: false });
  t.same(rows.failed, ['suites: torch', 'resume']);
  t.same(printed, readFileSync(rows.path, 'utf8').trim().split('\n'));
  t.throws(() => new Rows({ folder: '/dev', name: 'full' }, { print: () => {} }).write('end', {}), {
    message: /^The disk is full: /,
  });
  const noRoom = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC', path: '/out' });
  t.match(fullDisk(noRoom), { message: 'The disk is full: /out cannot be written.' }, 'also where a folder is made');
  t.equal(fullDisk(new Error('odd')), undefined);
  const blocked = join(rows.path, 'below');
  t.throws(() => new Rows({ folder: blocked, name: 'a.jsonl' }), { message: /a\.jsonl cannot be written: / });
  t.end();
});

t.test('a section that is cut is ended with what it has started, and its rows are kept', async (t) => {
  const rows: Row[] = [];
  const program = `
    console.log('{"what":"first"}'); console.log('a line'); console.error('Error: last');
    const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    console.log(JSON.stringify({ pid: child.pid })); setInterval(() => {}, 1000);`;
  const about = { env: process.env, log: join(t.testdir({}), 'log') };
  const cut = await runProcess([process.execPath, '-e', program], {
    ...about,
    seconds: -3.5,
    row: (row) => rows.push(row),
  });
  t.equal(cut.cut, true);
  const long = await runProcess([process.execPath, '-e', `${program} setTimeout(() => process.exit(7), 50)`], {
    ...about,
    seconds: 1000,
    row: (row) => rows.push(row),
  });
  t.match(long, { cut: false, code: 7, last: 'Error: last' });
  t.same(rows.at(-2), { what: 'first' });
  t.match(readFileSync(about.log, 'utf8'), /a line/);
  t.match(await runProcess(['/no/such/program'], { ...about, seconds: 1000, row: () => {} }), {
    code: 127,
    last: /ENOENT/,
  });
  await t.rejects(
    runProcess([process.execPath, '-e', program], {
      ...about,
      seconds: 1000,
      row: () => {
        throw new DiskFull('full');
      },
    }),
    { message: 'full' },
    'a row that cannot be written ends it',
  );
});

const answers =
  (found: Readonly<Record<string, Partial<ReturnType<Runner>>>>): Runner =>
  (command, args) => ({
    ...{ status: 127, stdout: '', stderr: '' },
    ...found[Object.keys(found).find((key) => [command, ...args].join(' ').includes(key)) ?? ''],
  });

t.test('a machine without torch, without a card, with an old driver, without room: one line each', (t) => {
  const none = answers({ importlib: { status: 0, stdout: '{}' } });
  t.throws(() => findTorch({ LIBTORCH: '/no/torch', PYTHON: 'py' }, none), {
    code: 3,
    message: /py has no torch; LIBTORCH=\/no\/torch: /,
  });
  t.same(cards(answers({ 'nvidia-smi': { status: 0, stdout: 'NVIDIA H200, 580.1, 143771 MiB\n' } })), [
    'NVIDIA H200, 580.1, 143771 MiB',
  ]);
  t.same(cards(answers({})), []);
  const stderr =
    'Traceback (most recent call last):\n  File "<string>"\nRuntimeError: The NVIDIA driver on your system is too old (found version 11040).\n';
  const old = answers({ 'device="cuda:0"': { status: 1, stderr } });
  const python = { python: 'py', env: {} };
  t.equal(
    whyNoDevice('cuda:0', python, old),
    'RuntimeError: The NVIDIA driver on your system is too old (found version 11040).',
  );
  t.match(whyNoDevice('cuda:0', python, answers({ zeros: { status: 0 } })), /the addon does not/);
  t.throws(() => requireRoom('/proc'), { code: 6, message: /^The disk of \/proc has 0 MiB left/ });
  t.end();
});

t.test('the addon is built, or the one in the archive is taken with the reason, or there is none', async (t) => {
  const no = 'there is no compiler g++';
  const ways = (built: string | undefined, fits: string | undefined) => ({
    build: async () => built,
    bring: () => fits,
  });
  t.same(await getAddon(ways(undefined, 'never asked'), 'build'), { how: 'built' });
  t.same(await getAddon(ways(no, undefined), 'build'), { how: 'brought', reason: no });
  t.same(await getAddon(ways('never asked', undefined), 'bring'), { how: 'brought' });
  t.same(await getAddon(ways(undefined, 'undefined symbol'), 'bring'), { how: 'built' });
  t.match(await getAddon(ways(no, 'undefined symbol'), 'build'), {
    how: 'none',
    reason: /no compiler g\+\+\. The addon in the archive does not fit: undefined symbol/,
  });
});

t.test('answers: gradients that nearly cancel are told, all others are judged', (t) => {
  const answer = (large: number, little: number, loss = 2) =>
    new Map([
      ['loss', Float32Array.of(loss)],
      ['prediction', Float32Array.of(1)],
      ['gradient.large', Float32Array.of(large, 0)],
      ['gradient.little', Float32Array.of(little)],
    ]);
  const expected = answer(1, 1e-4);
  t.match(compareAnswers(answer(1, 5e-4), expected), {
    ok: true,
    gradients: 1,
    worst: 0,
    small: { gradients: 1, where: 'little' },
  });
  t.match(compareAnswers(answer(1.01, 1e-4), expected), { ok: false, where: 'large' });
  t.match(compareAnswers(answer(1, 1e-4, 2.0001), expected), { ok: false });
  t.match(compareAnswers(answer(Number.NaN, 1e-4), expected), { ok: false, where: 'large' });
  t.match(compareAnswers(new Map(), expected), { ok: false });
  t.end();
});

t.test('what stands in the place of tap counts what holds and what does not, in order', async (t) => {
  const totals: Totals = { passed: 0, failed: 0, skipped: 0, failures: [] };
  const root = new Check('', totals);
  const order: string[] = [];
  root.test('first', async (t) => {
    await Promise.resolve();
    order.push('first');
    t.equal(1, 1);
    t.same([1, { a: 2 }], [1, { a: 2 }]);
    t.throws(() => JSON.parse('{'), SyntaxError);
    await t.rejects(Promise.reject(new Error('lost')), { message: /lost/ });
    t.test('inside', (t) => {
      order.push('inside');
      t.ok(true);
      t.end();
    });
  });
  root.test('second', (t) => {
    order.push('second');
    t.equal(1, 2, 'one is two');
    t.same([1], [2]);
    t.notOk(1);
    t.throws(() => {});
    t.throws(() => JSON.parse('{'), RangeError);
    t.match('a', /b/);
    t.end();
  });
  root.test('third', { skip: 'not here' }, (t) => t.end());
  root.test('fourth', () => Promise.reject(new Error('thrown')));
  await root.idle();
  t.same(order, ['first', 'inside', 'second']);
  t.match(totals, { passed: 5, failed: 7, skipped: 1 });
  t.match(totals.failures[0], 'second: one is two: 1 for 2');
  t.match(totals.failures.at(-1), 'fourth: threw: thrown');
});

t.test("a step's cost is that of the model's own count", (t) => {
  t.equal(Math.round(flopOf(kitPlan('lomar', 'base', 1, false)) / 1e9), 105);
  t.equal(Math.round(flopOf(kitPlan('mae', 'base', 1, false)) / 1e9), 59);
  t.ok(flopOf(kitPlan('srmae', 'base', 1, false)) > flopOf(kitPlan('mae', 'base', 1, false)));
  t.end();
});
