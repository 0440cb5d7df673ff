/**
 * What people read of a run of tap: a line for each file as it ends, and of a file that failed each assert that did not hold, as TAP says it. The runner's own reporter lays out a
 * terminal for every change, which took a fifth of the processor time of a run and minutes for a long failure.
 */
export class TapLines {
  /** @type {string[]} */
  #within = [];
  /** @type {RegExpExecArray | undefined} */
  #open;
  #rest = '';
  /**
   * Which lines behind a result say why: all of one that is no file's, as of a limit that was met; of a file in which no assert failed, how its process has ended.
   *
   * @type {RegExp | undefined}
   */
  #explains;
  #print;

  /** @param {(line: string) => void} print */
  constructor(print) {
    this.#print = print;
  }

  /** Reads a piece of TAP. @param {string} text */
  read(text) {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#line(line);
  }

  /** @param {string} line */
  #line(line) {
    if (this.#open !== undefined && line === '}') return this.#ended(this.#open);
    const result = this.#open === undefined ? /^(not )?ok \d+(?: - )?(.*?)(?: # (.*?))?( \{)?$/.exec(line) : undefined;
    if (/^Bail out!/.test(line)) this.#print(line);
    if (!line.startsWith('  ')) this.#explains = undefined;
    else if (this.#explains?.test(line)) this.#print(`      ${line}`);
    if (!result) {
      this.#within.push(line);
      return;
    }
    if (result[4] === undefined) return this.#ended(result);
    this.#open = result;
    this.#within = [];
  }

  /** @param {RegExpExecArray} result */
  #ended([, not, name, about = '']) {
    if (sharedProcess.test(name ?? '')) return this.#files(name ?? '', not !== undefined);
    const skipped = /^SKIP\b/i.test(about);
    const seconds = (Number(/time=([\d.]+)ms/.exec(about)?.[1] ?? 0) / 1000).toFixed(1);
    this.#print(`${not ? 'FAIL' : skipped ? 'SKIP' : 'PASS'}  ${name}  ${skipped ? about.slice(5) : `${seconds} s`}`);
    const failures = not ? failuresIn(this.#within) : [];
    for (const line of failures) this.#print(`      ${line}`);
    // An output that is no TAP from some line on has no such assert: its end says what came instead.
    if (not && failures.length === 0) for (const line of this.#within.slice(-lastLines)) this.#print(`      ${line}`);
    this.#explains = undefined;
    if (not && !/\.m?ts$/.test(name ?? '')) this.#explains = /^/;
    else if (not && failures.length === 0) this.#explains = howItEnded;
    this.#open = undefined;
    this.#within = [];
  }

  /**
   * The files of a process that several share, as if each had its own; and the process, where it failed and none of them did.
   *
   * @param {string} name
   * @param {boolean} failed
   */
  #files(name, failed) {
    const lines = this.#within.map((line) => line.replace(/^ {4}/, ''));
    this.#open = undefined;
    this.#within = [];
    this.#explains = undefined;
    let told = false;
    new TapLines((line) => {
      told ||= line.startsWith('FAIL');
      this.#print(line);
    }).read(`${lines.join('\n')}\n`);
    if (!failed || told) return;
    this.#print(`FAIL  ${name}`);
    this.#explains = howItEnded;
  }
}

/** What run-tests.mjs calls the processes of several files. */
const sharedProcess = /^\d+ files in one process$/;

const howItEnded = /^ {2}(exitCode|signal|expired|timeout):/;

/** As much of a file's output as says where it ended. */
const lastLines = 12;

/** Lines of a failure beyond these say nothing more. */
const mostLines = 60;

/**
 * The asserts that did not hold, with what TAP says of each, and not the subtests that failed by them.
 *
 * @param {readonly string[]} lines
 */
function failuresIn(lines) {
  const found = [];
  for (let i = 0; i < lines.length; i++) {
    const [, indent] = /^( *)not ok\b/.exec(lines[i] ?? '') ?? [];
    if (indent === undefined) continue;
    // What closes a subtest comes behind lines that are indented further.
    if ((lines[i - 1] ?? '').startsWith(`${indent}    `)) continue;
    const end = lines.findIndex((line, at) => at > i && line === `${indent}  ...`);
    const block = lines.slice(i, end === -1 ? i + 1 : end);
    found.push(
      ...block.slice(0, mostLines),
      ...(block.length > mostLines ? [`${indent}  … ${block.length - mostLines} lines more`] : []),
    );
  }
  return found;
}
