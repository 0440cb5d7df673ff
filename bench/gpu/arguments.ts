import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

/** What one of the kit's scripts was asked for. */
export interface Arguments {
  /** `a`: is it right, and how long does a step take? `b`: beside PyTorch and torchvision. */
  readonly script: 'a' | 'b';
  readonly device: string;
  /** Models and data so small that a processor rehearses all of it in minutes. */
  readonly tiny: boolean;
  /** The addon of the archive is taken where it fits, before one is built. */
  readonly shipped: boolean;
  /** The folder of the rows. */
  readonly out: string;
  /** From the start to the last row. With more than usual each section may take more. */
  readonly seconds: number;
  /** The sections that are run; all when it is empty. */
  readonly only: readonly string[];
}

/** Unpacking takes the rest of five minutes. */
export const usualSeconds = 280;

export const usage = `run-a.sh | run-b.sh [--device cuda:0|cpu] [--tiny] [--shipped] [--out FOLDER] [--seconds ${usualSeconds}] [--only SECTION,…]`;

/**
 * Reads `a` or `b` and the options behind it; rows go to `--out`, else to $OUT, else to the folder where the script was started.
 * @throws Error in one line for what it does not know.
 */
export function readArguments(
  given: readonly string[],
  env: NodeJS.ProcessEnv,
  sections: readonly string[],
): Arguments {
  const [script, ...rest] = given;
  if (script !== 'a' && script !== 'b') throw new Error(`There is no script ${script ?? ''}. ${usage}`);
  const { device, tiny, shipped, out, seconds, only } = optionsOf(rest);
  if (!/^(cpu|mps|cuda(:\d+)?)$/.test(device)) throw new Error(`--device ${device} is no device. ${usage}`);
  if (!(Number(seconds) > 0)) throw new Error(`--seconds ${seconds} is no time. ${usage}`);
  const wanted = only === undefined ? [] : only.split(',');
  const unknown = wanted.find((name) => !sections.includes(name));
  if (unknown !== undefined) throw new Error(`There is no section ${unknown}: they are ${sections.join(', ')}.`);
  return {
    script,
    device: device === 'cuda' ? 'cuda:0' : device,
    tiny,
    // What b measures takes all of its time; a is to show that the addon can be built.
    shipped: shipped || script === 'b',
    out: resolve(out ?? env.OUT ?? '.'),
    seconds: Number(seconds),
    only: wanted,
  };
}

function optionsOf(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        device: { type: 'string', default: 'cuda:0' },
        tiny: { type: 'boolean', default: false },
        shipped: { type: 'boolean', default: false },
        out: { type: 'string' },
        seconds: { type: 'string', default: String(usualSeconds) },
        only: { type: 'string' },
      },
    });
    return values;
  } catch (error) {
    throw new Error(`${(error as Error).message.split('\n')[0]} ${usage}`);
  }
}
