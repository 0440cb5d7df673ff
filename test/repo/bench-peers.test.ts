import t from 'tap';
import { chiefSection, resultsSection, withSection } from '../../bench/peers/page.ts';
import type { PeerComparison, PeerRow } from '../../bench/peers/peer-row.ts';
import { bestSetting, compareRounds, describeSetting, takeTurns } from '../../bench/peers/rounds.ts';
import { Side } from '../../bench/peers/side.ts';

const machine = { cpu: 'Some CPU', cores: 2, memoryGiB: 24, node: '20.20.2', date: '2026-11-27' };

function loader(peer: string, theirs: number, ratio: number): PeerComparison {
  const rest = { kind: 'loader', unit: 'images/s', spread: [ratio, ratio], rounds: 5 } as const;
  return {
    what: `loader: ${peer}`,
    peer,
    version: `${peer.split(',')[0]} 1.0+cu132, more`,
    ours: 1000,
    owned: 900,
    theirs,
    ratio,
    more: '2 workers',
    ...rest,
  };
}

function step(model: string, engine: string, peer: string, [ours, theirs]: readonly [number, number]): PeerComparison {
  const ratio = theirs / ours;
  const rest = {
    kind: 'step',
    unit: 'ms',
    spread: [ratio, ratio],
    rounds: 5,
    version: 'PyTorch 2.15.0+cu132',
  } as const;
  const precision = peer.endsWith('bfloat16') ? 'bfloat16' : 'float32';
  return { what: `step: ${model}, ${peer}, ${engine}`, precision, model, engine, peer, ours, theirs, ratio, ...rest };
}

const rows: readonly PeerRow[] = [
  loader('FFCV, JPEG', 400, 2.5),
  loader('tf.data', 600, 1.6),
  loader('FFCV, raw 256 px', 450, 2.2),
  { what: 'loader: SPDL', kind: 'loader', peer: 'SPDL', missing: 'no wheel' },
  step('lomar small', 'libtorch 1.13', 'PyTorch eager, float32', [200, 180]),
  step('lomar small', 'libtorch 2.15', 'PyTorch eager, float32', [150, 180]),
  step('lomar small', 'libtorch 1.13', 'PyTorch compiled, float32', [200, 120]),
  step('lomar small', 'libtorch 2.15', 'PyTorch compiled, float32', [150, 120]),
  step('lomar small', 'libtorch 2.15', 'PyTorch compiled, bfloat16', [100, 60]),
  // Measured in another precision than the peer: no comparison.
  { ...step('mae small', 'libtorch 2.15', 'PyTorch compiled, bfloat16', [300, 60]), precision: 'float32' },
];

t.test(
  'the page of peers has every row, those not measured with the reason, and says where the goals are not met',
  (t) => {
    const page = resultsSection(rows, machine);
    t.match(page, '| FFCV, JPEG (FFCV 1.0) | 1,000 (900) | 400 | 2.50 (2.50–2.50) | 2 workers |');
    t.match(page, '- loader: SPDL: no wheel');
    t.match(page, '| LoMaR small | 200 | 150 |  | 100 | 180 | 120 |  | 60.0 |');
    t.match(page, '| LoMaR small | 1.20 (1.20–1.20), 2.15 | 0.80 (0.80–0.80), 2.15 |  | 0.60 (0.60–0.60), 2.15 |');
    t.match(page, '| MAE small |  | 300 |  |  |  |  |  | 60.0 |');
    t.match(page, '| MAE small |  |  |  |  |');
    t.match(page, '- loader compared with tf.data: 1.60');
    t.notMatch(page, '- loader compared with FFCV');
    t.match(page, '- LoMaR small compared with PyTorch compiled, float32: 0.80, 30.0 ms of 150');
    t.match(page, '- LoMaR small compared with PyTorch compiled, bfloat16: 0.60, 40.0 ms of 100');
    t.end();
  },
);

t.test('the chief rows compare with the fastest, not with the most convenient', (t) => {
  const chief = chiefSection(rows, machine);
  t.match(
    chief,
    '| random crops from JPEGs, batches of 64 that are lent | 1,000 images/s | 600 images/s, tf.data 1.0 | 1.60 |',
  );
  t.match(chief, '| random crops from raw records of 256 px | 1,000 images/s | 450 images/s, FFCV 1.0 | 2.20 |');
  t.match(
    chief,
    '| one step of LoMaR small, micro-batch 16, float32 | 150 ms | 120 ms, PyTorch 2.15.0 compiled | 0.80 |',
  );
  t.match(
    chief,
    '| one step of LoMaR small, micro-batch 16, bfloat16 | 100 ms | 60.0 ms, PyTorch 2.15.0 compiled | 0.60 |',
  );
  t.match(chief, 'npm run bench -- peers');
  t.end();
});

t.test('a section is replaced between its marks and nowhere else', (t) => {
  const text = 'before\n<!-- peers -->\nold\n<!-- /peers -->\nafter\n';
  t.equal(withSection(text, 'peers', 'new'), 'before\n<!-- peers -->\nnew\n<!-- /peers -->\nafter\n');
  t.equal(withSection(withSection(text, 'peers', 'new'), 'peers', 'new'), withSection(text, 'peers', 'new'));
  t.throws(() => withSection('nothing', 'peers', 'new'), /There is no <!-- peers -->/);
  t.end();
});

t.test('the best setting is found by the better of two tries, past those that fail', async (t) => {
  const tries: Record<string, number[]> = { slow: [9], first: [2, 8], best: [3, 1], third: [4, 4], fifth: [5] };
  const attempt = async (setting: string) => {
    const ms = tries[setting]?.shift();
    if (ms === undefined) throw new Error(`no ${setting}`);
    return ms;
  };
  t.equal(await bestSetting(['absent', 'slow', 'first', 'best', 'third', 'fifth'], attempt), 'best');
  t.same(tries, { slow: [], first: [], best: [], third: [], fifth: [] });
  await t.rejects(bestSetting(['absent'], attempt), /no absent/);
  t.equal(
    describeSetting({ workers: 2, dynamic: true, mmap: false, decoder: 'fast' }),
    '2 workers, dynamic, no mmap, fast',
  );
});

t.test('every side has one turn a round and none always follows the same one', async (t) => {
  const order: string[] = [];
  const turn = (name: string, ms: number) => async () => {
    order.push(name);
    return ms;
  };
  const rounds = await takeTurns(
    { a: turn('a', 1), b: turn('b', 2), c: turn('c', 3) },
    { rounds: 4, deadline: Infinity },
  );
  t.same(rounds, { a: [1, 1, 1, 1], b: [2, 2, 2, 2], c: [3, 3, 3, 3] });
  t.equal(order.join(''), 'abccbabcaacb');
  const late = await takeTurns({ a: turn('a', 1) }, { rounds: 9, deadline: Number.NEGATIVE_INFINITY });
  t.equal(late.a?.length, 3, 'three rounds are measured however late it is');
  t.same(compareRounds([10, 20, 10], [20, 20, 30]), { ours: 10, theirs: 20, ratio: 2, spread: [1, 3] });
});

t.test('a side answers, passes its errors on, and says its last words when it ends', async (t) => {
  const script =
    'echo noise; echo {}; read a; echo "{\\"got\\":$a}"; read b; echo "{\\"error\\":\\"no\\"}"; read c; echo complaint >&2';
  const { side, hello } = await Side.start({ command: 'sh', args: ['-c', script] });
  t.same(hello, {});
  t.same(await side.ask({ turn: 1 }), { got: { turn: 1 } });
  await t.rejects(side.ask({}), /^no$/);
  await t.rejects(side.ask({}), /complaint|without an answer/);
  side.close();
  await t.rejects(Side.start({ command: '/nowhere/python', args: [] }), /ENOENT|without an answer/);
});
