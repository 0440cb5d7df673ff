import { inProse, redactProse, type Secret } from '../pipeline/file/redact.ts';
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
    write: (text) => output.write(redactProse(text, inText(text, secrets))),
  });
  const shown: Terminal = {
    stdout: safe(terminal.stdout),
    stderr: safe(terminal.stderr),
    env: terminal.env,
    on: (signal, listener) => terminal.on(signal, listener),
    off: (signal, listener) => terminal.off(signal, listener),
    exit: (code) => terminal.exit(code),
  };
  hiddenIn.set(shown, secrets);
  return shown;
}

/** From here on the values are not written to the terminal. */
export function hide(terminal: Terminal, secrets: readonly Secret[] = []): void {
  hiddenIn.get(terminal)?.push(...secrets);
}

/** In JSON a number must stay one; where it is an option it has been replaced before. */
function inText(text: string, secrets: readonly Secret[]): readonly Secret[] {
  const prose = inProse(secrets);
  return /^\s*[{[]/.test(text) ? prose.filter(({ value }) => Number.isNaN(Number(value))) : prose;
}
