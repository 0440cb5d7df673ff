import { createRequire } from 'node:module';
import t from 'tap';
import * as tf from '../../src/backends/tf.ts';

t.test('every function is that of the copy of tfjs that other packages find', (t) => {
  const whole: Readonly<Record<string, unknown>> = createRequire(import.meta.url)('@tensorflow/tfjs');
  const { tfjs, ...named } = tf;
  t.equal(tfjs, whole);
  t.ok(Object.keys(named).length > 100);
  for (const [name, value] of Object.entries(named)) t.ok(value !== undefined && value === whole[name], name);
  t.end();
});
