import { spawnSync } from 'node:child_process';

/** @typedef {{ status: number, stdout: string, stderr: string }} Answer */
/** @typedef {{ cwd?: string, env?: Record<string, string | undefined>, show?: boolean }} RunOptions */
/** @typedef {(command: string, args: readonly string[], options?: RunOptions) => Answer} Runner */

/**
 * Runs a command to its end. A command that does not exist answers 127 instead of throwing, so that callers have one way to fail.
 * `env` is laid over ours, and a value of undefined removes a variable; `show` lets its complaints through as they come.
 *
 * @type {Runner}
 */
export function run(command, args, { cwd, env = {}, show = false } = {}) {
  const merged = { ...process.env, ...env };
  for (const name of Object.keys(merged)) if (merged[name] === undefined) delete merged[name];
  const answer = spawnSync(command, args, {
    cwd,
    env: merged,
    encoding: 'utf8',
    // npm is a .cmd file on Windows, which only a shell starts.
    shell: process.platform === 'win32' && command.endsWith('.cmd'),
    stdio: ['ignore', 'pipe', show ? 'inherit' : 'pipe'],
    maxBuffer: 1 << 26,
  });
  if (answer.error !== undefined) return { status: 127, stdout: '', stderr: answer.error.message };
  return { status: answer.status ?? 1, stdout: answer.stdout ?? '', stderr: answer.stderr ?? '' };
}
