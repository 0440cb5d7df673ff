import t from 'tap';
import { killTest } from '../../scripts/kill-test.mjs';

t.test(
  'ten kills of each training and job: what they leave equals what they leave undisturbed, bit for bit',
  async (t) => {
    const results = await killTest({
      kills: 10,
      say: (line: string) => t.comment(line),
      skip: (line: string) => t.pass(line, { skip: line }),
    });
    t.ok(results.length > 0);
    for (const { name, differences, kills } of results) {
      t.same(differences, [], `${name}: differences`);
      t.equal(kills, 10, `${name}: all kills`);
    }
  },
);
