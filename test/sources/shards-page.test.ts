import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

const page = readFileSync('docs/shards.md', 'utf8');
const reader = /^```python\n([\s\S]*?)^```/m.exec(page)?.[1] ?? '';
const pythons = ['python3', '/usr/bin/python3'];
const python = pythons.find((name) => spawnSync(name, ['-c', 'import msgpack']).status === 0);

t.test('the reader of docs/shards.md is short', (t) => {
  t.ok(reader.split('\n').length <= 36, `${reader.split('\n').length} lines`);
  t.end();
});

t.test(
  'the reader of docs/shards.md reads the golden shard',
  { skip: python === undefined && 'no python3 with msgpack here (apt-get install python3-msgpack)' },
  (t) => {
    const file = join(t.testdir({}), 'reader.py');
    writeFileSync(file, reader);
    const read = (path: string) => spawnSync(python!, [file, path], { encoding: 'utf8' });
    const { stdout, stderr } = read('fixtures/shards/golden-v1.shard');
    const size = /'encoded', None, (\d+)/.exec(stdout)?.[1];
    t.equal(
      stdout,
      [
        "cat/a.png {'picture': ('raw', [2, 3, 3], 18), 'label': 0, 'box': ('int32', [4], 16), 'confidence': 0.5}",
        `dog/b.jpg {'picture': ('encoded', None, ${size}), 'label': 1, 'box': ('int32', [4], 16), 'confidence': 0.25}`,
        "dog/c.jpg/1 {'picture': ('raw', [2, 2, 1], 4), 'label': 1, 'box': ('int32', [4], 16), 'confidence': 1}",
        '',
      ].join('\n'),
      stderr,
    );
    const bad = readFileSync('fixtures/shards/golden-v1.shard');
    bad[bad.indexOf('dog/c.jpg/1') + 20]! ^= 1;
    writeFileSync(join(t.testdirName, 'bad.shard'), bad);
    t.match(read(join(t.testdirName, 'bad.shard')).stderr, /damaged b'RECD'/);
    t.end();
  },
);
