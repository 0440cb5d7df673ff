import { z } from 'zod';
import { fail } from '../../errors.ts';
import type { Blocks } from '../../stages/mask.ts';
import type { Spec } from '../../vision/spec.ts';
import { jsonOf } from '../../whole-file.ts';

/** The name under which a model's file says how it is used: what a picture goes through before it, and the names of its classes. */
export const trainedKey = 'patchstream.trained';

/** What weights need to be used: the model, the pictures that it knows, and what its answers mean. Pixels are normalised by the model itself. */
export interface TrainedOn {
  readonly model: {
    readonly name: string;
    readonly options: unknown;
    /** At the end of the chain that it was trained on; `size` is that of its pictures. */
    readonly spec: Spec;
    /** The file of the module that exports the model; none for ours. */
    readonly module?: string | undefined;
  };
  /** What its pictures went through, as evaluation has it: nothing random. Null where a function of a program is among it. */
  readonly stages: readonly StageInFile[] | null;
  /** How its patches were hidden, where that was in blocks; earlier versions do not say it. */
  readonly masks?: { readonly blocks: Blocks } | undefined;
  /** The names of the classes by their ranks, where the source had names. */
  readonly classNames?: readonly string[] | undefined;
}

/** A stage by its name and options. */
export interface StageInFile {
  readonly name: string;
  readonly options: unknown;
}

const form = z.looseObject({
  model: z.looseObject({
    name: z.string(),
    options: z.unknown(),
    spec: z.looseObject({ fields: z.record(z.string(), z.unknown()) }),
    module: z.string().optional(),
  }),
  stages: z.array(z.looseObject({ name: z.string(), options: z.unknown() })).nullable(),
  masks: z.looseObject({ blocks: z.looseObject({}) }).optional(),
  classNames: z.array(z.string()).optional(),
});

/** As a text for the metadata of a file. */
export function trainedText(trained: TrainedOn): string {
  return JSON.stringify(trained);
}

/** What the metadata of a file say; undefined where they say nothing. @throws TRAINED_OPTION where it has another form */
export function parseTrained(metadata: Readonly<Record<string, string>>, where: string): TrainedOn | undefined {
  const text = metadata[trainedKey];
  if (text === undefined) return undefined;
  const value = jsonOf(text);
  if (value === undefined) throw fail('TRAINED_OPTION', { option: trainedKey, found: 'no JSON' }, { where });
  checkOptions('', form, value, where);
  return value as TrainedOn;
}

/** @param owner what the options are of, before their own path. @throws TRAINED_OPTION for the first that is not as it is written */
export function checkOptions(owner: string, schema: z.ZodType, options: unknown, where: string): void {
  const [issue] = schema.safeParse(options).error?.issues ?? [];
  if (issue === undefined) return;
  const option = [owner, ...issue.path.map(String)].filter((part) => part !== '').join('.') || trainedKey;
  throw fail('TRAINED_OPTION', { option, found: issue.message }, { where });
}
