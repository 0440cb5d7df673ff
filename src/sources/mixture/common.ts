import { isDeepStrictEqual } from 'node:util';
import { commonFormats } from '../../vision/open.ts';
import type { FieldSpec, Spec } from '../../vision/spec.ts';

/** What is known of samples that may be of any of these specs: the fields that all of them have alike, and a size where it is that of all. */
export function commonSpec(specs: readonly Spec[]): Spec {
  const [first, ...others] = specs as [Spec, ...Spec[]];
  const fields: Record<string, FieldSpec> = Object.fromEntries(
    Object.entries(first.fields).filter(([name, field]) =>
      others.every(({ fields }) => isDeepStrictEqual(fields[name], field)),
    ),
  );
  const same = <K extends 'size' | 'classes'>(key: K) =>
    first[key] !== undefined && others.every((other) => isDeepStrictEqual(other[key], first[key]))
      ? { [key]: first[key] }
      : {};
  const formats = new Set(specs.flatMap((spec) => spec.formats ?? commonFormats));
  return {
    fields,
    ...same('size'),
    ...same('classes'),
    ...(specs.some((spec) => spec.formats !== undefined) && { formats: [...formats] }),
    ...(specs.some(({ open }) => open) && { open: true }),
  };
}
