import t from 'tap';
import { z } from 'zod';
import { reconstruction } from '../../src/measures/reconstruction/index.ts';
import { parseOptions } from '../../src/pipeline/options.ts';
import { faceCrop } from '../../src/stages/face-crop.ts';

t.test('an option that had another name is refused under that, with the name that it has now', (t) => {
  const schema = z.strictObject({
    onNoFace: z.enum(['drop', 'keep']).default('drop').describe('What is done.').meta({ formerly: 'none' }),
    inner: z.strictObject({ least: z.number().default(0).meta({ formerly: 'min' }) }).optional(),
  });
  const messages = (options: unknown) =>
    parseOptions(schema, options, 'stage face-crop').problems.map(({ error }) => error.message);
  t.match(messages({ none: 'keep' }), [/OPTION_UNKNOWN: .*`none`.*It is called `onNoFace` now\./]);
  t.match(messages({ inner: { min: 1 } }), [/`min`.*It is called `least` now\./]);
  t.match(messages({ onNoFase: 'keep' }), [/Did you mean `onNoFace`\?/]);
  t.same(messages({ onNoFace: 'keep', inner: { least: 1 } }), []);
  t.end();
});

t.test('the old names of our options are known: none, beside', (t) => {
  const rename = (schema: z.ZodType, option: string) =>
    parseOptions(schema, { [option]: 'x' }, 'it').problems.map(({ error }) => error.text)[0];
  t.match(rename(faceCrop.definition.options, 'none'), /has no option `none`\. It is called `onNoFace` now\./);
  t.match(rename(reconstruction.definition.options, 'beside'), /`beside`\. It is called `baseline` now\./);
  t.end();
});
