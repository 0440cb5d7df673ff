/**
 * How far a step of minutes is. Where messages go to a terminal it is one line that is written over and gone at the end; elsewhere, as in the log of a build, a line every ten seconds.
 */

/**
 * What is counted.
 *
 * @typedef {object} Counter
 * @property {() => void} more one more of them is done
 * @property {() => void} end no more will be; to be called whatever happened
 */

/** Makes a counter that begins at 0 of `total`. @typedef {(what: string, total: number, unit: string) => Counter} Count */

/** Milliseconds between two lines where there is no terminal. */
const pause = 10_000;

/**
 * @param {Pick<NodeJS.WriteStream, 'isTTY' | 'write'>} stream
 * @param {(tick: () => void, milliseconds: number) => () => void} [repeat] calls again and again until what it returns is called
 * @returns {Count}
 */
export const countsOn =
  (stream, repeat = repeated) =>
  (what, total, unit) => {
    let done = 0;
    const line = () => `${what}: ${done} of ${total} ${unit}`;
    const over = () => stream.write(`\r${line()}\x1b[K`);
    if (stream.isTTY) over();
    const stop = stream.isTTY ? () => stream.write('\r\x1b[K') : repeat(() => stream.write(`${line()}\n`), pause);
    return {
      more() {
        done++;
        if (stream.isTTY) over();
      },
      end: () => void stop(),
    };
  };

/** @type {(tick: () => void, milliseconds: number) => () => void} */
function repeated(tick, milliseconds) {
  const timer = setInterval(tick, milliseconds).unref();
  return () => clearInterval(timer);
}
