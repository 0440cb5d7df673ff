import t from 'tap';
import { packageState } from '../../../src/cli/doctor/doctor.ts';
import { facesFinding, landmarksFinding } from '../../../src/cli/doctor/faces.ts';
import { rendererFinding } from '../../../src/cli/doctor/renderer.ts';
import { tensorflowFinding } from '../../../src/cli/doctor/tensorflow.ts';
import { torchFinding } from '../../../src/cli/doctor/torch.ts';
import type { DlibAddon, TorchAddon } from '../../../src/native.ts';
import type { NativeRenderer } from '../../../src/vision/render/native.ts';
import { patchstream } from '../../kit/runs/terminal.ts';

/** An addon that is asked for nothing but what it is. */
const addon = (cuda: boolean, mps: boolean, loops = { panels: false, tiles: false }, version = '2.9.1') =>
  ({
    info: () => ({ version, cuda, cudaDevices: cuda ? 2 : 0, mps, bfloat16: cuda, ...loops, threads: 1 }),
  }) as unknown as TorchAddon;
const absent = (found: string) => ({ found, remedy: 'Run `npx patchstream doctor` to see why.' });

t.test('doctor: what is there, and what mends the rest', async (t) => {
  const { ok, findings } = JSON.parse((await patchstream(['doctor', '--json'])).out);
  t.equal(ok, true);
  t.same(
    findings.map(({ what }: { what: string }) => what),
    [
      'patchstream',
      'node',
      'machine',
      'sharp',
      'renderer',
      'faces',
      'landmarks',
      'backend wasm',
      'backend torch',
      'backend tensorflow',
    ],
  );
  for (const { found, fix } of findings)
    t.ok(/\d/.test(found) || fix !== undefined, `${found}: a version or a way to it`);
  t.match(await patchstream(['doctor']), { code: 0, out: /^backend torch +\S/m });
});

t.test('the torch backend that is there', (t) => {
  const missing = () => t.fail('nobody asks for what is there');
  t.same(torchFinding(addon(true, false), missing as never), {
    what: 'backend torch',
    found: 'libtorch 2.9.1, on cpu, cuda:0, cuda:1; `precision: bfloat16` is faster here',
    ok: true,
  });
  t.equal(torchFinding(addon(false, true), missing as never).found, 'libtorch 2.9.1, on cpu, mps');
  for (const [panels, tiles, said] of [
    [true, false, '; loops for AVX-512'],
    [true, true, '; loops for AVX-512 and AMX'],
  ] as const)
    t.equal(
      torchFinding(addon(false, false, { panels, tiles }), missing as never).found,
      `libtorch 2.9.1, on cpu${said}`,
    );
  const fixOf = (tiles: boolean, version: string) =>
    torchFinding(addon(false, false, { panels: true, tiles }, version), missing as never).fix;
  t.match(
    fixOf(true, '1.13.0'),
    /^steps in bfloat16 1\.05 to 1\.26 times as fast, .*LIBTORCH=python3 npx patchstream doctor --build$/,
  );
  t.same([fixOf(false, '1.13.0'), fixOf(true, '2.15.0')], [undefined, undefined], 'where it would gain nothing');
  t.end();
});

t.test('the torch backend that is not there: why, and the command', (t) => {
  const unbuilt = absent('its addon is not built');
  t.match(
    torchFinding(unbuilt, () => undefined),
    { ok: true, fix: /^faster training: npx patchstream doctor --build$/ },
  );
  t.match(
    torchFinding(absent('its addon was not built (a.cc:1: error: x)'), () => undefined),
    {
      found: 'a.cc:1: error: x',
      fix: /^native\/torch\/build\/build\.log has all of it; then: npx patchstream doctor --build$/,
    },
  );
  t.match(
    torchFinding(unbuilt, () => 'no libtorch in the paths of the system', 'linux'),
    {
      found: 'its addon is not built; no libtorch in the paths of the system',
      fix: /apt-get install .*libtorch-dev.* doctor --build; or LIBTORCH=/,
    },
  );
  t.match(torchFinding(unbuilt, () => 'no libtorch', 'darwin').fix, /^faster training: LIBTORCH=\/path/);
  t.end();
});

t.test('the backend tensorflow: package, library and where it is from; or the commands', (t) => {
  const [install, what] = ['npm install it', 'backend tensorflow'];
  const node = { name: '@tensorflow/tfjs-node', version: '4.22.0', binding: '/b.node', there: true };
  const outcome = { version: '2.21.0', place: '/site/tensorflow' };
  const found = (...packages: Parameters<typeof tensorflowFinding>[0]) => tensorflowFinding(packages, install);
  t.same(found({ ...node, outcome }), {
    what,
    found: '4.22.0 (tfjs-node), on TensorFlow 2.21.0 in /site/tensorflow',
    ok: true,
  });
  t.match(found(node), { found: /tfjs-node\), with the TensorFlow that the package has downloaded$/, ok: true });
  t.match(found(), {
    found: /^not installed/,
    ok: true,
    fix: /: npm install it, then LIBTENSORFLOW=python3 .*--build/,
  });
  const fix = /^LIBTENSORFLOW=python3 npx patchstream doctor --build/;
  t.match(found({ ...node, there: false }), { found: /its binding is not built$/, ok: true, fix });
  const failed = { ...outcome, reason: 'TensorFlow 2.4.1 is too old' };
  t.match(found({ ...node, there: false, outcome: failed }), { found: /was not built: TensorFlow 2\.4\.1 is/, fix });
  t.match(found({ ...node, outcome, gone: true }), { found: /2\.21\.0, which is gone \(\/site\/tensorflow\)/, fix });
  const gpu = { ...node, name: '@tensorflow/tfjs-node-gpu', there: false };
  t.match(found(gpu, { ...node, outcome }).found, '(tfjs-node), on TensorFlow', 'the one that loads');
  t.end();
});

t.test('the renderer: which, why, and what mends it', (t) => {
  const about = () => ({ libraries: ['libjpeg-turbo 2.1.5'], vectors: 'avx2' });
  const formats = new Set(['jpeg', 'png', 'webp']);
  const encodes = () => 'libdeflate 1.14';
  const native = { formats, about, encodes } as unknown as NativeRenderer;
  const missing = () => t.fail('nobody asks for what is there');
  t.same(rendererFinding(native, missing as never), {
    what: 'renderer',
    found: 'native/image (libjpeg-turbo 2.1.5, avx2): JPEG, PNG, WebP and raw pixels; sharp: the rest',
    ok: true,
  });
  const withoutPng = { formats: new Set(['jpeg']), about, encodes: () => undefined } as unknown as NativeRenderer;
  const fix =
    /^what reads PNG, reads WebP, writes PNG faster: .*libpng-dev libwebp-dev libdeflate-dev .* doctor --build$/;
  t.match(rendererFinding(withoutPng, missing as never, 'linux'), { ok: true, fix });
  const asked = { found: 'PATCHSTREAM_RENDERER=sharp asks for it', remedy: 'unset PATCHSTREAM_RENDERER' };
  t.match(rendererFinding(asked, missing as never), {
    found: /^sharp: everything, since PATCHSTREAM_RENDERER=sharp/,
    fix: /: unset PATCHSTREAM_RENDERER$/,
  });
  const unbuilt = absent('its addon is not built');
  t.match(rendererFinding(unbuilt, () => undefined).fix, /: npx patchstream doctor --build$/);
  t.match(rendererFinding(absent('its addon was not built (x)'), () => undefined).fix, 'build.log has all of it');
  const gone = () => 'no libjpeg-turbo in the paths of the system';
  t.match(rendererFinding(unbuilt, gone, 'linux'), { found: gone(), fix: 'libjpeg62-turbo-dev' });
  t.match(rendererFinding(unbuilt, gone, 'darwin').fix, /: LIBJPEG=/);
  t.end();
});

t.test('the detector of faces: which, why, and what mends it', async (t) => {
  const addon = { info: () => ({ version: '19.24', vectors: 'avx2', avx2: true }) } as unknown as DlibAddon;
  const missing = () => t.fail('nobody asks for what is there');
  t.same(facesFinding(addon, missing as never, { about: 'dlib 19.24 (avx2)' }), {
    what: 'faces',
    found: 'dlib 19.24 (avx2)',
    ok: true,
  });
  const unbuilt = absent('its addon is not built');
  const about = 'face-api 1.7.15 (wasm, one thread); dlib is missing: its addon is not built';
  t.match(
    facesFinding(unbuilt, () => undefined, { about }),
    {
      found: about,
      ok: true,
      fix: /^several times as fast: npx patchstream doctor --build$/,
    },
  );
  t.match(
    facesFinding(absent('its addon was not built (x)'), () => undefined, { about }).fix,
    'build.log has all of it',
  );
  const gone = () => 'no dlib in the paths of the system';
  t.match(facesFinding(unbuilt, gone, { about, platform: 'linux' }), { found: gone(), fix: 'libdlib-dev' });
  t.match(facesFinding(unbuilt, gone, { about, platform: 'darwin' }).fix, /: DLIB=/);
  const { out } = await patchstream(['describe', 'pipelines/faces-quickstart.yaml']);
  t.match(out, /^faces +\S/m);
  t.notMatch((await patchstream(['describe', 'pipelines/crops-quickstart.yaml'])).out, /^faces /m);
});

t.test('landmarks: where they come from, or how to get them; said of pipelines that need them', async (t) => {
  const path = '/usr/share/dlib/shape_predictor_68_face_landmarks.dat';
  t.same(landmarksFinding(path), [{ what: 'landmarks', found: path, ok: true }]);
  t.match(landmarksFinding({ found: 'no model in /usr', remedy: 'apt-get install libdlib-data' }), [
    { found: 'missing: no model in /usr', ok: true, fix: 'to align faces: apt-get install libdlib-data' },
  ]);
  const faces = 'pipelines/faces-quickstart.yaml';
  t.notMatch((await patchstream(['describe', faces])).out, /^landmarks /m);
  for (const option of ['align=eyes', 'landmarks=true']) {
    const { out } = await patchstream(['describe', faces, '--set', `stages.1.face-crop.${option}`]);
    t.match(out, /^landmarks +\S/m, option);
  }
});

t.test('issue 16: a package that is there and broken is not called missing', (t) => {
  const throwing = (error: Error) => () => {
    throw error;
  };
  const gone = Object.assign(new Error('Cannot find module'), { code: 'MODULE_NOT_FOUND' });
  t.same(
    packageState('sharp', () => ({ version: '1.2.3' })),
    { version: '1.2.3' },
  );
  t.same(packageState('gone', throwing(gone)), { missing: 'not installed (gone)' });
  t.match(packageState('cut', throwing(new SyntaxError('Unexpected end of JSON input'))), {
    missing: 'not sound (cut: Unexpected end of JSON input)',
  });
  t.end();
});
