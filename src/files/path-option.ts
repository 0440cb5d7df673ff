import { z } from 'zod';

/**
 * The schema of an option that is a path: `options: z.strictObject({ weights: pathOption().describe('…') })`. Text that is not empty. A relative path starts at the file
 * that it stands in, also where another file `extends` that one, and after `--set` at the working directory; what gets the option joins it to `base` of its context.
 */
export function pathOption() {
  return z.string().min(1).meta({ format: 'path' });
}
