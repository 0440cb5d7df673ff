/**
 * `node bench/peers/serve.mjs MODULE`: serves one of our own sides, a process beside those of the others. `bench/peers/MODULE.ts` exports `hello` and `answer(request)`; each line on
 * stdin is a request in JSON, each line on stdout its answer.
 */
import { createInterface } from 'node:readline';
import '../../scripts/lib/typescript.mjs';

/** @type {{ hello: () => Promise<object>, answer: (request: object) => Promise<object> }} */
const side = await import(new URL(`${process.argv[2]}.ts`, import.meta.url).href);

/** @param {object} answer */
const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);

/** @param {() => Promise<object>} work */
async function attempt(work) {
  try {
    say(await work());
  } catch (error) {
    say({ error: error instanceof Error ? error.message : String(error) });
  }
}

await attempt(side.hello);
for await (const line of createInterface({ input: process.stdin })) {
  await attempt(() => side.answer(JSON.parse(line)));
}
process.exit(0);
