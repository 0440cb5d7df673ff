// Multiplies on the backend torch while signals arrive: of a profiler that samples this thread (`profiler`), or what is sent to the process (`process`), which
// says `ready` when it may be sent and waits at `done` until it is no more. Ends well when each product was the first one's, bit for bit, and so many signals were heard of.
import { once } from 'node:events';
import { Session } from 'node:inspector';
import { setImmediate } from 'node:timers/promises';
import * as tf from '../../../src/backends/tf.ts';
import { prepareTorch } from '../../../src/backends/torch/prepare.ts';
import { readings } from './tensors.ts';
import { wavy } from './torch.ts';

const [means, asked] = process.argv.slice(2);
await prepareTorch('cpu');
let heard = 0;
let profiled = async () => {};
// oneDNN takes a workspace of the heap for products of many factors.
const inputs = [wavy([512, 256]), wavy([256, 64], 1), wavy([2048, 32], 2), wavy([2048, 48], 3)] as const;
const product = () =>
  readings(() => [tf.matMul(inputs[0], inputs[1]), tf.matMul(inputs[2], inputs[3], true)].map((x) => x.dataSync()));
const expected = product();

if (means === 'profiler') {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: 100 });
  session.post('Profiler.start');
  profiled = () =>
    new Promise((resolve, reject) =>
      session.post('Profiler.stop', (error, result) => {
        if (error) return reject(error);
        heard = result.profile.samples?.length ?? 0;
        resolve();
      }),
    );
} else {
  process.on('SIGUSR2', () => heard++);
  process.stdout.write('ready\n');
}
for (let rounds = 0; rounds < 20 || (means === 'process' && heard < Number(asked)); rounds++) {
  for (let i = 0; i < 5; i++)
    for (const [at, values] of product().entries())
      if (Buffer.compare(Buffer.from(values.buffer), Buffer.from(expected[at]!.buffer)) !== 0)
        throw new Error(`product ${at} of round ${rounds} is another`);
  await setImmediate();
}
await profiled();
if (heard < Number(asked)) throw new Error(`only ${heard} signals`);
process.stdout.write('done\n');
if (means === 'process') await once(process.stdin.resume(), 'end');
