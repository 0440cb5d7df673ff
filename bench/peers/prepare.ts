import { type Environment, pythonOf, treeWith } from './installed.ts';
import { compileAll } from './steps/steps.ts';

const environments: readonly Environment[] = ['torch', 'ffcv', 'dali', 'tensorflow', 'grain', 'spdl', 'pictures'];

/** Installs every peer, builds our engine on their libtorch and has torch.compile make its kernels, so that a run has only to measure. Gives what is missing. */
export async function prepare(): Promise<string[]> {
  const notes: string[] = [];
  for (const name of environments) {
    const found = pythonOf(name);
    if ('missing' in found) notes.push(`Without ${name}: ${found.missing}`);
  }
  const torch = pythonOf('torch');
  if ('missing' in torch) return notes;
  const built = await treeWith(torch.python);
  if ('missing' in built) notes.push(`Without our engine on the peer's libtorch: ${built.missing}`);
  notes.push(...(await compileAll(torch.python)));
  return notes;
}
