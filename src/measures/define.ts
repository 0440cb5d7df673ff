import { z } from 'zod';
import type { Tensor, tfjs } from '../backends/tf.ts';
import type { ValidationIssue } from '../errors.ts';
import { pathOption } from '../files/path-option.ts';
import type { ModelDefinition } from '../models/define.ts';
import type {
  Classifier,
  CodePredictor,
  Encoder,
  HostBatch,
  Model,
  Params,
  Restorer,
  Tokenizer,
} from '../models/model.ts';
import { isClassifier, isCodePredictor, isEncoder, isRestorer, isTokenizer } from '../models/model.ts';
import { guarded } from '../own-code.ts';
import type { Source } from '../sources/source.ts';
import type { Stage } from '../streams/stage.ts';
import type { Spec } from '../vision/spec.ts';

/** What a measure can read: `on`, samples that are not trained on; `reference`, samples that these are compared with. */
export type DataName = 'on' | 'reference';

/** What a measure has found, by name: its values, and what belongs to them, as the number of pictures. */
export type Numbers = Readonly<Record<string, number | string | boolean>>;

/** One of the values of a measure, as people read it. */
export interface Quantity {
  /** Default: its name. */
  readonly title?: string;
  /** Its heading among the values of other measures. Default: the measure's id and the title. */
  readonly column?: string;
  /** Which of its values are better; needed where checkpoints are judged by it and the pipeline does not say. */
  readonly better?: 'higher' | 'lower';
  /** Default: four digits. */
  text?(value: number): string;
  /** Whether it says anything, by all numbers of the measure. Where it does not, people are not shown it; who names it is given it all the same. Default: it does. */
  says?(numbers: Numbers): boolean;
}

/** The numbers of a measure without those that say nothing. */
export function telling({ values }: Pick<MeasureDefinition, 'values'>, numbers: Numbers): Numbers {
  return Object.fromEntries(Object.entries(numbers).filter(([name]) => values[name]?.says?.(numbers) !== false));
}

/** What `run` gives. */
export interface Measured {
  /** Holds the first of `values` at least, and as many of the others as there are; values are finite. */
  readonly numbers: Numbers;
  /** What a reader of the numbers must know. */
  readonly notes?: readonly string[];
  /** Tables that the report shows besides, of what was measured at the end. */
  readonly tables?: readonly MeasureTable[];
  /** A PNG file, drawn where someone looks at it. Of a measure with `picture`. */
  readonly draw?: () => Uint8Array | Promise<Uint8Array>;
}

/** A measure whose numbers are shown. */
export interface Shown<Options = unknown> {
  /** `knn`, and `knn#2` for the second of that name. */
  readonly id: string;
  readonly options: Options;
  readonly numbers: Numbers;
  /** What was measured before the first step, where that is known. */
  readonly before?: Numbers | undefined;
  readonly notes: readonly string[];
}

export interface MeasureTable {
  readonly title: string;
  readonly head: readonly string[];
  /** The first cell of each row is its heading. */
  readonly rows: readonly (readonly string[])[];
  readonly about?: string;
  /** The same as a chart, below the table: values over what `across` counts. */
  readonly curve?: {
    readonly across: string;
    readonly at: readonly number[];
    readonly values: readonly number[];
    /** Default: as many digits as the axis needs. */
    text?(value: number): string;
  };
}

/** How a report shows a measure: the values before and after the training, a row of a table. Every part has a default. */
export interface MeasureReport<Options = unknown> {
  /** Of the table, which measures with the same heading share. Default: the measure's name. */
  readonly heading?: string;
  /** Of the row. Default: the id. */
  title?(shown: Shown<Options>): string;
  /** A sentence on the row, without the full stop. */
  about?(shown: Shown<Options>): string;
  /** Tables of its own, in the place of the row. */
  tables?(shown: Shown<Options>): readonly MeasureTable[];
}

/** A source of a measure with the stages behind it, not yet opened. */
export interface MeasureData {
  /** At the end of the stages. */
  readonly spec: Spec;
  /** The fewest pixels that pictures go through on their way, `8×8`. */
  readonly resolution: string;
  /** Whether it reads the same samples as another of the measure's. */
  isSame(other: DataName): boolean;
  /**
   * Begins one pass in listing order over as many samples as `limit` says.
   *
   * @param size samples per batch. @throws CLASSES_DIFFER where labels mean other classes, and what the source throws.
   */
  open(reading?: { readonly size?: number }): Promise<OpenData>;
}

export interface OpenData {
  /** Samples of the pass, of as many as there are. */
  readonly count: number;
  readonly of: number;
  /** The names of the classes, where the source knows them. */
  readonly classNames?: readonly string[];
  /** The fields that the measure reads; their memory may be used again once the next batch is asked for. */
  readonly batches: AsyncIterable<{ readonly keys: readonly string[]; readonly fields: HostBatch }>;
}

/** What a measure works with: a model and its weights, and the data that it names. */
export interface MeasureContext<Options = unknown, M extends Model = Model, Data extends DataName = DataName> {
  readonly options: Options;
  readonly model: M;
  readonly params: Params;
  /** The copy of tfjs on which the parameters lie. The measure frees the tensors that it makes. */
  readonly tf: typeof tfjs;
  /** Brings fields of a batch to the backend, uint8 as float32. The caller owns the tensors. */
  upload(fields: HostBatch): Record<string, Tensor>;
  readonly data: Readonly<Record<Data, MeasureData>>;
  /** The seed of the pipeline. */
  readonly seed: number;
  /** How many samples a picture is to show, in the place of what the options say. */
  readonly pictures?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What is known of a measure's surroundings before data is opened. */
export interface MeasureChecks<Data extends DataName = DataName> {
  readonly model: { readonly name: string; readonly definition: ModelDefinition; readonly options: unknown };
  /** The spec at the end of each chain, and how many samples it gives at most, where that is said. */
  readonly data: Readonly<Record<Data, { readonly spec: Spec; readonly limit?: number | undefined }>>;
}

/** A measure as `check` and `describe` know it. Its work is in `run`, which imports tfjs itself. */
export interface MeasureDefinition<Options = unknown, M extends Model = Model, Data extends DataName = DataName> {
  /** As in pipeline files: kebab-case. */
  readonly name: string;
  readonly summary: string;
  /** Its own options, with those that name its data: `on`, `reference`, `stages`, `limit`. */
  readonly options: z.ZodType<Options>;
  /** What the model must be able to do. */
  readonly needs?: Ability;
  readonly data: readonly Data[];
  /** True where all samples need a label. Classes of `on` must be those of `reference`; of a classifier those that it was trained on. */
  readonly labels?: true;
  /** The fields of a sample that it reads, of pictures that no stage changes at random. Default: those of the model, as it is trained on them. */
  readonly fields?: readonly string[];
  /** The numbers that change as the model learns, the chief one first. */
  readonly values: Readonly<Record<string, Quantity>>;
  /** The names of the further numbers that these options ask for, which a study may compare. */
  more?(options: Options): readonly string[];
  /** A picture that is drawn at the end into `<name>.png` and the report. */
  readonly picture?: { readonly title: string; readonly alt: string; readonly about?: string };
  /** True where it is measured before the first step too, unless `at` says otherwise. */
  readonly atStart?: true;
  /** True for a measure that stands alone: one of its kind, its values at the top of `evaluation.json`, without those before the training. */
  readonly single?: true;
  /** Whether pictures may be of another size than those that the model takes. Default: of a measure that needs the model, no. */
  isOfAnySize?(options: Options): boolean;
  /** The options with those that were left out and depend on the model. */
  complete?(options: Options, checks: Pick<MeasureChecks, 'model'>): Options;
  /** Rules across options, and with the model and the data. Opens nothing. */
  check?(options: Options, checks: MeasureChecks<Data>): Iterable<ValidationIssue>;
  /** Called before the training with the samples that each chain will give: throws what would end the measure later. */
  probe?(options: Options, counts: Readonly<Record<Data, number>>): void;
  /** Measures one state of the weights. Import the work here and not at the top of the file: `check` and `describe` load no tfjs. */
  run(context: MeasureContext<Options, M, Data>): Measured | Promise<Measured>;
  /** The numbers for the terminal. Default: one line of all values. */
  format?(shown: Shown<Options>): readonly string[];
  /** The same for one line while it trains. Default: `format`. */
  brief?(shown: Shown<Options>): string;
  readonly report?: MeasureReport<Options>;
}

/** What a model can do, by the names that `needs` takes: as its definition says it, as its network shows it, and the error where it cannot. */
export const abilities = {
  restores: {
    isDefined: ({ restores }: ModelDefinition) => restores !== false,
    has: isRestorer,
    lacks: 'MODEL_RESTORES',
  },
  encodes: { isDefined: ({ encodes }: ModelDefinition) => encodes !== false, has: isEncoder, lacks: 'MODEL_ENCODES' },
  classifies: {
    isDefined: ({ classifies }: ModelDefinition) => classifies === true,
    has: isClassifier,
    lacks: 'MODEL_CLASSIFIES',
  },
  tokenizes: {
    isDefined: ({ tokenizes }: ModelDefinition) => tokenizes === true,
    has: isTokenizer,
    lacks: 'MODEL_TOKENIZES',
  },
  predictsCodes: {
    isDefined: ({ predictsCodes }: ModelDefinition) => predictsCodes === true,
    has: isCodePredictor,
    lacks: 'MODEL_PREDICTS_CODES',
  },
} as const;
export type Ability = keyof typeof abilities;
type Able<A extends Ability> = {
  restores: Restorer;
  encodes: Encoder;
  classifies: Classifier;
  tokenizes: Tokenizer;
  predictsCodes: CodePredictor;
}[A];

/** Where samples come from: a folder of pictures, or a source. */
export type MeasuredOn = string | Source;

/** The options that name data, as they are written. */
export type DataInput<Data extends DataName> = {
  readonly [Name in Data]?: MeasuredOn;
} & { readonly stages?: readonly Stage[] } & ('reference' extends Data
    ? { readonly limit?: { readonly on?: number; readonly reference?: number } }
    : { readonly limit?: number });

/** Options by their names: of a schema without any there is an index that forbids all. */
type Named<Input> = { readonly [Name in keyof Input as string extends Name ? never : Name]: Input[Name] };

/** A measure with its options. */
export interface MeasureValue {
  readonly measure: { readonly name: string; readonly options: unknown; readonly definition: MeasureDefinition };
}

/** The factory of a measure: `knn({ k: 20, on: './test' })` is a value for the list `evaluate.measures`. */
export interface MeasureFactory<Input> {
  (options?: Input): MeasureValue;
  readonly definition: MeasureDefinition;
}

/** Makes a measure known to pipelines by its name and options. */
export function defineMeasure<
  Schema extends z.ZodObject,
  const Needs extends Ability = never,
  const Data extends DataName = 'on',
>(
  definition: Omit<
    MeasureDefinition<z.output<Schema>, [Needs] extends [never] ? Model : Able<Needs>, Data>,
    'options' | 'needs' | 'data'
  > & {
    readonly options: Schema;
    readonly needs?: Needs;
    /** Default: `['on']`. */
    readonly data?: readonly Data[];
  },
): MeasureFactory<Named<z.input<Schema>> & DataInput<Data>> {
  const data: readonly DataName[] = definition.data ?? ['on'];
  const options = (definition.options as z.ZodObject).safeExtend(dataOptions(data, definition.labels));
  const own = guarded(`measure ${definition.name}`, definition, ['more', 'isOfAnySize', 'complete', 'probe', 'run']);
  const known = Object.freeze({ ...own, data, options }) as unknown as MeasureDefinition;
  const factory = (own?: unknown): MeasureValue => ({
    measure: { name: known.name, options: own ?? {}, definition: known },
  });
  return Object.assign(factory, { definition: known });
}

/** A folder, or a source. */
const place = z.union([pathOption(), z.looseObject({})]).optional();
const count = z.int().min(1).optional();

/** The options of every measure that name its data. */
function dataOptions(data: readonly DataName[], labels: true | undefined): Record<string, z.ZodType> {
  if (data.length === 0) return {};
  const on = labels
    ? 'Labelled pictures that are not trained on: a folder of a folder per class, or a source.'
    : 'Pictures that are not trained on: a folder, or a source.';
  const others = labels ? 'Labelled pictures that give the answers' : 'Pictures that those are compared with';
  const places = {
    on: place.describe(`${on} Default: the source of evaluate.`),
    reference: place
      .describe(`${others}: a folder or a source. Default: the source of the pipeline.`)
      .meta({ formerly: 'against' }),
  };
  const most = data.map((name) => {
    const own = count.describe(`Most pictures of \`${name}\`. Default: all.`);
    return [name, name === 'reference' ? own.meta({ formerly: 'against' }) : own] as const;
  });
  const limit = 'How many pictures are taken, at equal distances in listing order.';
  const stages =
    'The stages; by default those of evaluate, else those of the pipeline, with random stages replaced by deterministic ones (random-resized-crop becomes resize, random-flip is left out).';
  return {
    limit:
      data.length === 1
        ? count.describe(`${limit} Default: all.`)
        : z.strictObject(Object.fromEntries(most)).default({}).describe(limit),
    ...Object.fromEntries(data.map((name) => [name, places[name]])),
    stages: z.unknown().optional().describe(stages),
  };
}
