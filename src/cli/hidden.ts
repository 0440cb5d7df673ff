import { inProse, redactProse, type Secret } from '../pipeline/file/redact.ts';
import { jsonOf } from '../whole-file.ts';
import type { Output, Terminal } from './command.ts';

const hiddenIn = new WeakMap<Terminal, Secret[]>();

/** The terminal as verbs see it: what `hide` names is written as `${NAME}`, in all that a verb prints and in its errors. */
export function hiding(terminal: Terminal): Terminal {
  const secrets: Secret[] = [];
  const safe = (output: Output): Output => ({
    get isTTY() {
      return output.isTTY;
    },
    get columns() {
      return output.columns;
    },
    write: (text) => output.write(hidden(text, secrets)),
  });
  const shown: Terminal = {
    stdout: safe(terminal.stdout),
    stderr: safe(terminal.stderr),
    env: terminal.env,
    on: (signal, listener) => terminal.on(signal, listener),
    off: (signal, listener) => terminal.off(signal, listener),
    exit: (code) => terminal.exit(code),
    ...(terminal.pid !== undefined && { pid: terminal.pid, kill: (pid, signal) => terminal.kill?.(pid, signal) }),
  };
  hiddenIn.set(shown, secrets);
  return shown;
}

/** From here on the values are not written to the terminal. */
export function hide(terminal: Terminal, secrets: readonly Secret[] = []): void {
  hiddenIn.get(terminal)?.push(...secrets);
}

function hidden(text: string, secrets: readonly Secret[]): string {
  const prose = inProse(secrets);
  if (prose.length === 0) return text;
  const value = /^\s*[{[]/.test(text) ? jsonOf(text) : undefined;
  const space = /^.\n/.test(text) ? 2 : undefined;
  // Text that would not be the same again is no JSON of ours.
  if (value === undefined || `${JSON.stringify(value, null, space)}\n` !== text) return redactProse(text, prose);
  return `${JSON.stringify(withoutValues(value, prose), null, space)}\n`;
}

/** What an event is. */
const ours: ReadonlySet<string> = new Set(['type', 'code', 'how', 'kind']);

/** What a verb prints for programs: the names of fields are ours, and so is what an event is; a number must stay one. Where it is an option it has been replaced before. */
function withoutValues(value: unknown, prose: readonly Secret[], depth = 0): unknown {
  if (typeof value === 'string') return redactProse(value, prose);
  if (Array.isArray(value)) return value.map((inner) => withoutValues(inner, prose, depth + 1));
  if (typeof value !== 'object' || value === null) return value;
  const hide = ([key, inner]: [string, unknown]) =>
    [key, depth === 0 && ours.has(key) ? inner : withoutValues(inner, prose, depth + 1)] as const;
  return Object.fromEntries(Object.entries(value).map(hide));
}
