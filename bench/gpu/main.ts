/** `node main.js a|b …`: the scripts of the kit. docs in CONTRIBUTING.md; what each row says stands where it is written. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Arguments, readArguments, usualSeconds } from './arguments.ts';
import { describeMachine, exits, findTorch, requireRoom, type Torch, Unfit, whyNoDevice } from './machine.ts';
import { runProcess } from './process.ts';
import { fullDisk, type Row, Rows } from './rows.ts';
import { allowance, type Section, sections } from './sections.ts';

const app = fileURLToPath(new URL('../../', import.meta.url));
const ending = extname(import.meta.url);
/** Building takes a minute on many cores, and minutes on two. */
const addonSection = { name: 'addon', seconds: 200, least: 45, judges: true } as const;

/** One run of a script. */
interface Run {
  readonly given: Arguments;
  readonly rows: Rows;
  readonly torch: Torch;
  readonly work: string;
}

async function runScript(given: Arguments): Promise<number> {
  mkdirSync(given.out, { recursive: true });
  const rows = new Rows({ folder: given.out, name: `${given.script}.jsonl` });
  requireRoom(app);
  requireRoom(tmpdir());
  const torch = findTorch(process.env);
  rows.write('machine', describeMachine(torch, JSON.parse(readFileSync(join(app, 'kit.json'), 'utf8'))));
  const work = mkdtempSync(join(tmpdir(), 'patchstream-kit-'));
  try {
    const run = { given, rows, torch, work };
    const wanted = sections.filter(({ script, name }) => script === given.script && isWanted(name, given));
    await getAddon(run, wanted);
    await checkDevice(run);
    for (const [i, section] of wanted.entries()) await runSection(run, section, wanted.slice(i + 1));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  const ok = rows.failed.length === 0;
  const failed = [...rows.failed];
  rows.write('end', { what: ok ? 'all that was judged holds' : 'not all holds', failed });
  return ok ? exits.passed : exits.failed;
}

const isWanted = (name: string, { only }: Arguments) => only.length === 0 || only.includes(name);

async function getAddon(run: Run, behind: readonly Section[]): Promise<void> {
  let found: Row | undefined;
  await runSection(run, addonSection, behind, (row) => {
    found = row;
  });
  if (found === undefined) {
    throw new Unfit(exits.addon, 'native/torch was not built in time; --seconds gives it more.');
  }
  if (found.ok === false) throw new Unfit(exits.addon, String(found.reason));
}

/** @throws Unfit in words of the driver where the device is not there. */
async function checkDevice(run: Run): Promise<void> {
  const { given, torch, rows } = run;
  let reason: string | undefined = 'the addon did not answer';
  await runSection(run, { name: 'device', seconds: 60, least: 5 }, [], (row) => {
    reason = row.missing as string | undefined;
  });
  if (reason === undefined) return;
  const python = process.env.PYTHON ?? 'python3';
  const why = torch.python.torch === undefined ? reason : whyNoDevice(given.device, { python, env: process.env });
  rows.write('device', { what: given.device, ok: false, error: why });
  throw new Unfit(exits.device, `torch ${torch.python.torch ?? torch.version} cannot use ${given.device}: ${why}.`);
}

async function runSection(
  { given, rows, torch, work }: Run,
  section: Pick<Section, 'name' | 'seconds' | 'least' | 'judges'>,
  behind: readonly Section[],
  seen: (row: Row) => void = () => {},
): Promise<void> {
  const { name, judges } = section;
  const wanted = section.seconds * Math.max(1, given.seconds / usualSeconds);
  const seconds = allowance({ ...section, seconds: wanted }, behind, given.seconds - rows.seconds);
  const left = (why: string) => rows.write(name, { cut: why, ...(judges && { ok: false }) });
  if (seconds === 0) return left('no time was left for it');
  const log = join(given.out, `${given.script}.log`);
  const lib = [torch.lib, join(app, '../lib'), process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
  const env = {
    ...process.env,
    LD_LIBRARY_PATH: lib,
    LIBTORCH: torch.wish,
    KIT_LIBTORCH: torch.version,
    KIT_DEVICE: given.device,
    KIT_TINY: given.tiny ? '1' : '0',
    KIT_DEADLINE: String(Date.now() + seconds * 1000),
    KIT_WORK: work,
    KIT_ADDON: given.shipped ? 'bring' : 'build',
    KIT_PYTHON: torch.python.torch === undefined ? '' : (process.env.PYTHON ?? 'python3'),
  };
  const program = join(app, 'bench/gpu/sections', `${name}${ending}`);
  const { cut, code, last } = await runProcess([process.execPath, program], {
    env,
    seconds,
    log,
    row: (row) => {
      rows.write(name, judges && row.cut !== undefined ? { ...row, ok: false } : row);
      seen(row);
    },
  });
  if (cut) left(`its ${Math.round(seconds)} s were over`);
  else if (code !== 0) rows.write(name, { ok: false, error: `exit code ${code}: ${last.slice(0, 300)}` });
}

/** @throws Unfit where they are not understood. */
function argumentsOf(args: readonly string[], names: readonly string[]): Arguments {
  try {
    return readArguments(args, process.env, names);
  } catch (error) {
    throw new Unfit(exits.usage, (error as Error).message);
  }
}

/** Runs what the arguments say, and returns the exit code. What stops it is one line. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const names = sections.filter(({ script }) => script === args[0]).map(({ name }) => name);
    return await runScript(argumentsOf(args, names));
  } catch (error) {
    const full = fullDisk(error);
    console.error(`patchstream kit: ${(full ?? (error as Error)).message}`);
    if (error instanceof Unfit) return error.code;
    return full === undefined ? exits.failed : exits.disk;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)
    process.once(signal, () => process.exit(code));
  process.exitCode = await main(process.argv.slice(2));
}
