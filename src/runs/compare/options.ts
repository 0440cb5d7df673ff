/** What of `pipeline.json` is looked at by name. */
export interface PipelineJson {
  readonly train?: {
    readonly model?: Readonly<Record<string, unknown>>;
    readonly batch?: number;
    readonly steps?: number;
    readonly [option: string]: unknown;
  };
  readonly evaluate?: { readonly measures?: readonly Readonly<Record<string, unknown>>[] };
  readonly [part: string]: unknown;
}

/** Options by their paths, as text. */
export type OptionTexts = ReadonlyMap<string, string>;

/** The options that decide what a training learns, by their paths (`train.batch`, `model.size`, `stages.mask.ratio`), and those of each measure by its id. Not where and how fast it runs. */
export function optionsIn({ seed, source, stages, train, evaluate }: PipelineJson): {
  readonly options: OptionTexts;
  readonly measures: ReadonlyMap<string, OptionTexts>;
} {
  const { model = {}, thread: _t, backend: _b, device: _d, microBatch: _m, checkpoint: _c, ...training } = train ?? {};
  const [own] = Object.values(model);
  const measures = named(evaluate?.measures ?? []);
  return {
    options: flat({ seed, model: own, train: training, source, stages }),
    measures: new Map(Object.entries(measures).map(([id, options]) => [id, flat(options)])),
  };
}

/** A list of maps of one name each as one map: the second of a name is `name#2`. */
function named(list: readonly unknown[]): Record<string, unknown> {
  const all: Record<string, unknown> = {};
  for (const one of list)
    for (const [name, options] of Object.entries(one as object)) {
      let id = name;
      for (let n = 2; id in all; n++) id = `${name}#${n}`;
      all[id] = options;
    }
  return all;
}

function flat(value: unknown, path = '', into = new Map<string, string>()): Map<string, string> {
  const isList = Array.isArray(value);
  if (value === undefined || value === null) return into;
  if (typeof value !== 'object' || (isList && !value.every((one) => typeof one === 'object' && one !== null))) {
    into.set(path, typeof value === 'object' ? JSON.stringify(value) : String(value));
    return into;
  }
  const entries = Object.entries(isList ? named(value) : value);
  if (entries.length === 0 && path !== '') into.set(path, 'yes');
  for (const [key, inner] of entries) flat(inner, path === '' ? key : `${path}.${key}`, into);
  return into;
}
