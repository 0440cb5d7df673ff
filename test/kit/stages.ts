import { Random } from '../../src/random.ts';
import type { StageDefinition, StageFactory } from '../../src/stages/stage.ts';
import type { Sample } from '../../src/streams/sample.ts';
import type { Spec } from '../../src/vision/spec.ts';

/** A spec of pictures of one size. */
export const picturesOf = (height: number, width = height): Spec => ({
  fields: { bytes: 'bytes', picture: 'picture' },
  size: [height, width],
});

/** A spec of pictures of any size. */
export const anyPictures: Spec = { fields: { bytes: 'bytes', picture: 'picture' } };

/** A stage as a pipeline uses it: options parsed as a user writes them, checked against a spec, run on a sample. */
export function stageOf<Input, Options, In, Out>(
  factory: StageFactory<Input, Options, In, Out>,
  written: unknown,
  spec: Spec,
  seed = 7,
  signal = new AbortController().signal,
) {
  const definition = factory.definition as unknown as StageDefinition<unknown, Sample, unknown>;
  const options = definition.options.parse(written);
  const place = { base: process.cwd() };
  const work = () => definition.run(options, spec, { id: definition.name, seed, base: process.cwd(), signal });
  return {
    codes: [...(definition.check?.(options, spec, place) ?? [])].map(({ error }) => error.code),
    messages: [...(definition.check?.(options, spec, place) ?? [])].map(({ error }) => error.message),
    get output() {
      return definition.output(spec, options, place);
    },
    get evalVariant() {
      return definition.evalVariant?.(options);
    },
    run<T extends object>(fields: T, { key = 'cats/one.jpg', position = 0, epoch = 0 } = {}) {
      const sample = { key, position, epoch, ...fields };
      return work()(sample, new Random(seed, definition.name, key, epoch)) as Awaited<Out> & T & Sample;
    },
  };
}

/** True when the options are refused by their schema. */
export function refuses(
  factory: { readonly definition: { readonly options: { safeParse(value: unknown): { success: boolean } } } },
  written: unknown,
): boolean {
  return !factory.definition.options.safeParse(written).success;
}
