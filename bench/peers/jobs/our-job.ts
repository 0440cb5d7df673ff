import {
  decode,
  definePipeline,
  idx,
  imageFolder,
  images,
  pipeline,
  resize,
  run as runPipeline,
  shards,
  toShards,
  toWebdataset,
} from '../../../src/index.ts';

/** The protocol of jobs.py. `out` may also be `batches`: the pictures are rendered and nothing is written. */
interface Request {
  readonly job: {
    readonly from: string;
    readonly to: string;
    readonly out: 'files' | 'tars' | 'shards' | 'batches';
    readonly format: 'jpg' | 'png';
    readonly size: number;
    readonly quality: number;
    readonly optimize?: boolean;
  };
}

export async function hello(): Promise<object> {
  return { version: 'patchstream' };
}

export async function answer({ job }: Request): Promise<object> {
  const begun = performance.now();
  if (job.out === 'batches') {
    for await (const _ of pipeline(imageFolder(job.from), decode(), resize(job.size)).batches(64, { views: true }));
  } else {
    await write(job);
  }
  return { ms: performance.now() - begun };
}

async function write({ from, to, out, size, ...job }: Request['job']): Promise<void> {
  const sink = sinkOf(out, job);
  const named = { name: 'job', sink, output: to };
  if (from.endsWith('-ubyte')) await runPipeline(definePipeline({ ...named, source: idx(from), stages: [] }));
  else if (from.endsWith('shards')) await runPipeline(definePipeline({ ...named, source: shards(from), stages: [] }));
  else await runPipeline(definePipeline({ ...named, source: imageFolder(from), stages: [decode(), resize(size)] }));
}

function sinkOf(
  out: Request['job']['out'],
  { format, ...options }: Pick<Request['job'], 'format' | 'quality' | 'optimize'>,
) {
  const pictures = format === 'jpg' ? 'jpeg' : 'png';
  if (out === 'files') return images({ format: pictures, ...options, sheet: false });
  return out === 'tars' ? toWebdataset({ pictures, ...options }) : toShards({ pictures, ...options });
}
