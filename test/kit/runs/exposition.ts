/** A family of metrics in Prometheus' text format. */
export interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly samples: readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[];
}

/**
 * Reads a page in Prometheus' text format 0.0.4, counters and gauges without time stamps, and refuses all that the format or its conventions do not allow.
 * Written against prometheus.io/docs/instrumenting/exposition_formats and …/practices/naming, and with nothing of those who write it.
 */
export function readExposition(text: string): ReadonlyMap<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line must end');
  const families = new Map<string, Family>();
  let at: { name: string; help: string; type?: Family['type']; samples: Family['samples'][number][] } | undefined;
  const close = () => {
    if (at === undefined) return;
    const { name, help, type, samples } = at;
    if (type === undefined) throw new Error(`${name} has no type`);
    if (type === 'counter' && !name.endsWith('_total')) throw new Error(`${name} is a counter`);
    if (type === 'gauge' && /_(total|count|sum|bucket)$/.test(name)) throw new Error(`${name} is a gauge`);
    families.set(name, { name, help, type, samples });
  };
  for (const line of text.slice(0, -1).split('\n')) {
    if (line === '') continue;
    const help = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) ((?:[^\\]|\\\\|\\n)+)$/.exec(line);
    const type = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge)$/.exec(line);
    if (help) {
      close();
      if (families.has(help[1]!)) throw new Error(`${help[1]} comes twice`);
      at = { name: help[1]!, help: help[2]!, samples: [] };
    } else if (type) {
      if (at?.name !== type[1] || at?.type !== undefined) throw new Error(`out of order: ${line}`);
      at!.type = type[2] as Family['type'];
    } else {
      const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
      if (sample === null || sample[1] !== at?.name || at?.type === undefined) throw new Error(`out of place: ${line}`);
      const labels = labelsOf(sample[2] ?? '');
      const key = JSON.stringify(labels);
      if (at.samples.some((other) => JSON.stringify(other.labels) === key)) throw new Error(`twice: ${line}`);
      at.samples.push({ labels, value: numberIn(sample[3]!) });
    }
  }
  close();
  return families;
}

function labelsOf(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let rest = text;
  while (rest !== '') {
    const one = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/.exec(rest);
    if (one === null || one[1]!.startsWith('__') || Object.hasOwn(labels, one[1]!)) throw new Error(`labels: ${text}`);
    labels[one[1]!] = one[2]!.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char));
    rest = rest.slice(one[0].length);
  }
  return labels;
}

function numberIn(text: string): number {
  // As Go reads them, whatever their case.
  const special: Readonly<Record<string, number>> = { nan: Number.NaN, '+inf': Infinity, '-inf': -Infinity };
  const word = special[text.toLowerCase()];
  if (word !== undefined) return word;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) throw new Error(`value: ${text}`);
  return Number(text);
}
