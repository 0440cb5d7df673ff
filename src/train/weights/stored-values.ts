import { fail } from '../../errors.ts';
import { floatsOf, requireFloats, type Safetensors } from '../../formats/safetensors.ts';

/** How a model stores a parameter: `Model.stored`. */
export type Layout = (name: string) => {
  readonly shape: readonly number[];
  toFile(data: Float32Array): Float32Array;
  fromFile(data: Float32Array): Float32Array;
};

/**
 * Parameter values from a file in the layout of memory, each made when it is asked for.
 *
 * @param names of the parameters. @param prefix before each name in the file (`exp_avg.`).
 * @throws CHECKPOINT_MISMATCH with those that are missing or have another shape.
 */
export function fromFile(
  stored: Safetensors,
  names: readonly string[],
  layout: Layout,
  { prefix = '', where }: { prefix?: string; where?: string } = {},
): Map<string, () => Float32Array> {
  const values = new Map<string, () => Float32Array>();
  const wrong: string[] = [];
  for (const name of names) {
    const tensor = stored.tensors.get(prefix + name);
    const { shape, fromFile: convert } = layout(name);
    if (tensor === undefined) wrong.push(`it lacks ${prefix}${name}, [${shape.join(', ')}]`);
    else if (tensor.shape.join() !== shape.join()) {
      wrong.push(`${prefix}${name} is [${tensor.shape.join(', ')}] in it and [${shape.join(', ')}] in the model`);
    } else {
      requireFloats(tensor, where);
      values.set(name, () => convert(floatsOf(tensor, where)));
    }
  }
  if (wrong.length === 0) return values;
  const more = wrong.length > most ? `; and ${wrong.length - most} more do not fit` : '';
  throw fail('CHECKPOINT_MISMATCH', { found: `${wrong.slice(0, most).join('; ')}${more}` }, { where });
}

/** How many tensors a message holds. */
const most = 4;
