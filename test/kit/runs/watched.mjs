// Runs a watched job in a process of its own, which can be killed: pictures of a folder into shards. Tells every event as a line of JSON.

const [photos, output] = process.argv.slice(2);
// As it was built: it is begun many times, and its sources take seconds to be read.
const door = new URL('../../../dist/index.js', import.meta.url).href;
/** @type {typeof import('../../../src/index.ts')} */
const { decode, definePipeline, imageFolder, resize, run, toShards } = await import(door);
const abort = new AbortController();
process.once('SIGTERM', () => abort.abort('SIGTERM'));
await run(
  definePipeline({
    name: 'watched',
    source: imageFolder({ path: String(photos), formats: ['png'] }),
    stages: [decode(), resize(4)],
    sink: toShards({ shardBytes: 20_000 }),
    output: String(output),
  }),
  {
    watch: { everySeconds: 0.05, idleSeconds: 1 },
    signal: abort.signal,
    onEvent: (event) => console.log(JSON.stringify(event)),
  },
);
