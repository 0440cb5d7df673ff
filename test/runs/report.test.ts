import t from 'tap';
import { escapeHtml } from '../../src/html.ts';
import { errorTable } from '../../src/measures/reconstruction/texts.ts';
import { reportHtml } from '../../src/runs/report.ts';
import type { Measures } from '../../src/train/metrics.ts';
import { lossChart } from '../../src/vision/draw/chart.ts';

const row = (step: number): Measures => ({
  step,
  epoch: step / 10,
  loss: 1 / (step + 1),
  gradNorm: 1,
  paramNorm: 2,
  lr: 0.1,
  imagesPerSecond: 100,
  dataWaitMs: 10,
  permitWaitMs: 0,
  microBatch: 4,
  uploadMs: 1,
  passMs: 20,
  updateMs: 2,
  ringFill: 0.5,
  cores: 1.5,
  keys: '0',
});
const rows = Array.from({ length: 25 }, (_, i) => row(i));

t.test('text from outside cannot leave its place', (t) => {
  t.equal(escapeHtml('<script>"a" & \'b\'</script>'), '&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;');
  t.equal(escapeHtml('a\n\u202Eb\u0007'), 'a\n\\u{202e}b\\u{7}');
  const html = reportHtml({
    name: '</title><script>alert(1)</script>',
    pipeline: 'source: "</pre><img src=x onerror=alert(1)>"',
    rows,
    batch: 10,
    seconds: 3,
    backend: '<b>wasm</b>',
    sections: [{ tables: [], notes: ['<i>note</i>'], picture: { png: Uint8Array.of(1), alt: '<i>', about: '<b>' } }],
  });
  t.notMatch(html, /<script|<b>|<i>|<img src=x/);
  t.match(html, /default-src 'none'/);
  t.end();
});

t.test('everything of a run is in the one file', (t) => {
  const html = reportHtml({
    name: 'quickstart',
    pipeline: 'seed: 7\n',
    rows: [...rows, { ...row(25), loss: Number.NaN, skipped: true }],
    batch: 10,
    seconds: 125,
    backend: 'wasm',
    parameters: 231424,
    sections: [
      {
        tables: [
          {
            ...errorTable({ ours: 0.65, meanPatch: 1.289, nearestPatch: 1.501, smoothFill: 0.702 }),
            curve: { across: '<px>', at: [8, 16], values: [0.25, 0.5] },
          },
        ],
        notes: [],
        picture: { png: Uint8Array.of(1, 2, 3), alt: 'restored' },
      },
    ],
    chart: lossChart({ at: rows.map(({ step }) => step), values: rows.map(({ loss }) => loss) }),
  });
  for (const part of [
    '0.6500',
    '1.2890',
    '1.5010',
    '0.7020',
    '231,424',
    '2 min 5 s',
    'seed: 7',
    '10 %',
    'not a number',
  ]) {
    t.ok(html.includes(part), part);
  }
  t.match(html, /src="data:image\/png;base64,AQID"/);
  const drawn = [...html.matchAll(/src="data:image\/svg\+xml;base64,([^"]+)/g)].map(([, svg]) =>
    Buffer.from(svg!, 'base64').toString(),
  );
  t.equal(drawn.length, 2);
  t.match(drawn[0], /&lt;px&gt;/, 'the curve of a table');
  t.match(drawn[1], /loss/i);
  t.notMatch(html.replace(/base64,[^"]*/g, ''), /https?:|src="(?!data:)/, 'nothing is asked of the network');
  t.equal(html.match(/<tr><td class="number">/g)?.length, 10, 'ten rows of steps');
  t.end();
});

t.test('a run without a step has a report too', (t) => {
  t.match(reportHtml({ name: 'n', pipeline: '', rows: [], batch: 1, seconds: 0, backend: 'wasm' }), /<h1>n<\/h1>/);
  t.end();
});
