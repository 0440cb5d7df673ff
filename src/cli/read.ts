import { builtin } from '../pipeline/builtin.ts';
import { type Checked, checkFile } from '../pipeline/check.ts';
import type { Terminal } from './command.ts';
import { hide } from './hidden.ts';

/** Reads and checks the pipeline that a verb is given. What comes from the environment is not shown from here on. */
export async function readPipeline(file: string, set: readonly string[], terminal: Terminal): Promise<Checked> {
  const checked = await checkFile(file, { registry: builtin, set, environment: terminal.env });
  hide(terminal, checked.resolved?.definition.origin?.secrets);
  return checked;
}
