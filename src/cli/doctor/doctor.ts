import { createRequire } from 'node:module';
import sharp from 'sharp';
import { firstLine, messageOf, printable } from '../../errors.ts';
import { machine, machineText } from '../../machine.ts';
import { dlibAddon, torchAddon } from '../../native.ts';
import { version } from '../../pipeline/version.ts';
import { nativeRenderer } from '../../vision/render/native.ts';
import { systemCode } from '../../whole-file.ts';
import { type Builder, builder } from '../builder.ts';
import { type Command, exits } from '../command.ts';
import { facesFinding, landmarksFinding } from './faces.ts';
import type { Finding } from './finding.ts';
import { rendererFinding } from './renderer.ts';
import { tensorflowFinding } from './tensorflow.ts';
import { torchFinding } from './torch.ts';

/** `patchstream doctor` */
export const doctor: Command = {
  name: 'doctor',
  usage: '',
  summary: 'Say what this machine offers, what is missing, and the command that fixes or installs it.',
  options: {
    build: { type: 'boolean', about: 'First build the native parts that are missing, or failed before.' },
    json: { type: 'boolean', about: 'Print one JSON value.' },
  },
  async run(given, { stdout, stderr, env }) {
    const addons = await builder(env);
    if (given.flag('build')) await addons.build((line) => stderr.write(`${printable(line)}\n`));
    const findings = examine(addons);
    const ok = findings.every((finding) => finding.ok);
    if (given.flag('json')) {
      stdout.write(`${JSON.stringify({ ok, findings }, null, 2)}\n`);
    } else {
      const width = Math.max(...findings.map(({ what }) => what.length));
      for (const { what, found, fix } of findings) {
        stdout.write(`${what.padEnd(width)}  ${printable(found)}\n`);
        if (fix) stdout.write(`${' '.repeat(width)}  → ${fix}\n`);
      }
    }
    return ok ? exits.ok : exits.failed;
  },
};

function examine(addons: Builder): Finding[] {
  return [
    { what: 'patchstream', found: version(), ok: true },
    node(),
    {
      what: 'machine',
      found: `${process.platform} ${process.arch}, ${machineText(machine())}`,
      ok: true,
    },
    { what: 'sharp', found: `${sharp.versions.sharp}, libvips ${sharp.versions.vips}`, ok: true },
    rendererFinding(nativeRenderer(), () => addons.missing('image')),
    facesFinding(dlibAddon(), () => addons.missing('dlib')),
    ...landmarksFinding(),
    backend('wasm', '@tensorflow/tfjs-backend-wasm', 'npm install @tensorflow/tfjs-backend-wasm', true),
    torchFinding(torchAddon(), () => addons.missing('torch')),
    tensorflowFinding(addons.tfjsNodes(), addons.installTfjsNode),
  ];
}

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const ok = major > 20 || (major === 20 && minor >= 15);
  return { what: 'node', found: process.versions.node, ok, ...(!ok && { fix: 'install Node 20.15 or later' }) };
}

/** Whether a package is there, and in which version, or what is wrong with it; it is not loaded. */
export function packageState(
  name: string,
  require: (path: string) => unknown = createRequire(import.meta.url),
): { readonly version: string } | { readonly missing: string } {
  try {
    return require(`${name}/package.json`) as { version: string };
  } catch (error) {
    if (systemCode(error) === 'MODULE_NOT_FOUND') return { missing: `not installed (${name})` };
    return { missing: `not sound (${name}: ${firstLine(messageOf(error))})` };
  }
}

function backend(what: string, name: string, fix: string, needed: boolean): Finding {
  const state = packageState(name);
  if ('version' in state) return { what: `backend ${what}`, found: state.version, ok: true };
  return { what: `backend ${what}`, found: state.missing, ok: !needed, fix };
}
