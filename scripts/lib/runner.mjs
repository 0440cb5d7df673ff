import { spawn, spawnSync } from 'node:child_process';

/** @typedef {{ status: number, stdout: string, stderr: string }} Answer */
/** @typedef {{ cwd?: string, env?: Record<string, string | undefined>, show?: boolean }} RunOptions */
/** @typedef {(command: string, args: readonly string[], options?: RunOptions) => Answer} Runner */
/** @typedef {(command: string, args: readonly string[], options?: RunOptions) => Promise<Answer>} Starter */

/**
 * Runs a command to its end. A command that does not exist answers 127 instead of throwing, so that callers have one way to fail.
 * `env` is laid over ours, and a value of undefined removes a variable; `show` lets its complaints through as they come.
 *
 * @type {Runner}
 */
export function run(command, args, { cwd, env = {}, show = false } = {}) {
  const answer = spawnSync(command, args, {
    cwd,
    env: laidOver(env),
    encoding: 'utf8',
    shell: needsShell(command),
    stdio: ['ignore', 'pipe', show ? 'inherit' : 'pipe'],
    maxBuffer: 1 << 26,
  });
  if (answer.error !== undefined) return { status: 127, stdout: '', stderr: answer.error.message };
  return { status: answer.status ?? 1, stdout: answer.stdout ?? '', stderr: answer.stderr ?? '' };
}

/**
 * Runs a command beside others, its messages in English; answers as `run` does.
 *
 * @type {Starter}
 */
export function start(command, args, { cwd, env = {}, show = false } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env: laidOver({ LC_ALL: 'C', ...env }),
      shell: needsShell(command),
      stdio: ['ignore', 'pipe', show ? 'inherit' : 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child.on('error', (error) => resolve({ status: 127, stdout: '', stderr: error.message }));
    child.on('close', (code) => resolve({ status: code ?? 1, stdout, stderr }));
  });
}

/** @param {Record<string, string | undefined>} env */
function laidOver(env) {
  const merged = { ...process.env, ...env };
  for (const name of Object.keys(merged)) if (merged[name] === undefined) delete merged[name];
  return merged;
}

/**
 * npm is a .cmd file on Windows, which only a shell starts.
 *
 * @param {string} command
 */
const needsShell = (command) => process.platform === 'win32' && command.endsWith('.cmd');
