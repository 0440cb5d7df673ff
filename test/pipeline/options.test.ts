import t from 'tap';
import { z } from 'zod';
import { parseOptions } from '../../src/pipeline/options.ts';

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
