import t from 'tap';
import { torchFinding } from '../../src/cli/doctor-torch.ts';
import type { TorchAddon } from '../../src/native.ts';
import { patchstream } from '../kit/terminal.ts';

/** An addon that is asked for nothing but what it is. */
const addon = (cuda: boolean, mps: boolean) =>
  ({ info: () => ({ version: '2.9.1', cuda, mps, threads: 1 }) }) as unknown as TorchAddon;
const absent = (found: string) => ({ found, remedy: 'Run `npx patchstream doctor` to see why.' });

t.test('doctor: what is there, and what mends the rest', async (t) => {
  const { ok, findings } = JSON.parse((await patchstream(['doctor', '--json'])).out);
  t.equal(ok, true);
  t.same(
    findings.map(({ what }: { what: string }) => what),
    ['patchstream', 'node', 'machine', 'sharp', 'backend wasm', 'backend torch', 'backend tensorflow'],
  );
  for (const { found, mend } of findings)
    t.ok(/\d/.test(found) || mend !== undefined, `${found}: a version or a way to it`);
  t.match(await patchstream(['doctor']), { code: 0, out: /^backend torch +\S/m });
});

t.test('the torch backend that is there', (t) => {
  const missing = () => t.fail('nobody asks for what is there');
  t.same(torchFinding(addon(true, false), missing as never), {
    what: 'backend torch',
    found: 'libtorch 2.9.1, on cpu, cuda:0',
    ok: true,
  });
  t.match(torchFinding(addon(false, true), missing as never).found, 'on cpu, mps');
  t.end();
});

t.test('the torch backend that is not there: why, and the command', (t) => {
  const unbuilt = absent('its addon is not built');
  t.match(
    torchFinding(unbuilt, () => undefined),
    { ok: true, mend: /^faster training: npx patchstream doctor --build$/ },
  );
  t.match(
    torchFinding(absent('its addon was not built (a.cc:1: error: x)'), () => undefined),
    {
      found: 'a.cc:1: error: x',
      mend: /^native\/torch\/build\/build\.log has all of it; then: npx patchstream doctor --build$/,
    },
  );
  t.match(
    torchFinding(unbuilt, () => 'no libtorch in the paths of the system', 'linux'),
    {
      found: 'its addon is not built; no libtorch in the paths of the system',
      mend: /apt-get install .*libtorch-dev.* doctor --build; or LIBTORCH=/,
    },
  );
  t.match(torchFinding(unbuilt, () => 'no libtorch', 'darwin').mend, /^faster training: LIBTORCH=\/path/);
  t.end();
});
