import { join } from 'node:path';
import type { Fields } from '../datasets/source.ts';
import { messageOf, PatchstreamError } from '../errors.ts';
import { drain } from '../streams/drain.ts';
import { iterate } from '../streams/iterate.ts';
import type { Sample } from '../streams/sample.ts';
import { cancelled, type RunContext } from './context.ts';
import type { RunSummary } from './events.ts';
import { checkFields } from './layout.ts';
import { openLoader } from './open.ts';
import { lossLines, ProgressTicker, totals } from './progress.ts';
import type { Resolved } from './resolve.ts';

/** A job: one pass over the source in listing order, into the sink. Ends with what was written before also when it is cancelled. */
export async function runJob(resolved: Resolved, { folder, signal, onEvent }: RunContext): Promise<RunSummary> {
  const began = performance.now();
  const { definition, spec } = resolved;
  const { loader, finish, close, total } = await openLoader(resolved, {
    signal,
    onLine: (text) => onEvent({ type: 'line', text }),
    onFailure(failure) {
      folder.quarantine(failure);
      onEvent({ type: 'failure', stage: failure.stage, key: failure.key, error: messageOf(failure.error) });
    },
  });
  const target = resolved.sink!;
  let done = 0;
  let how = 'failed';
  try {
    const sink = await target.definition.open(target.options, {
      base: definition.base,
      output: folder.path,
      spec,
      name: definition.name,
    });
    await folder.begin({ goesOn: false });
    const ticker = new ProgressTicker(onEvent, () => ({ done, total, stats: loader.stats() }));
    let closed: Awaited<ReturnType<typeof sink.close>>;
    try {
      const writing = drain({
        write: async (sample) => {
          checkFields(sample, spec);
          return sink.write(sample as Sample & Fields);
        },
        commit: (written) => sink.commit(written),
        fatal: endsTheSink,
        ...loader.ending(target.name),
      });
      for await (const _ of iterate(loader.ordered.pipe(writing), signal)) done++;
    } finally {
      ticker.stop();
      closed = await sink.close();
    }
    if (signal.aborted) {
      how = 'cancelled';
      throw cancelled(signal);
    }
    finish();
    how = 'completed';
    const seconds = (performance.now() - began) / 1000;
    const lines = [...closed.lines, ...lossLines(loader.stats(), join(folder.path, 'quarantine.jsonl'))];
    return { lines, files: closed.files, done, seconds, ...totals(loader.stats()) };
  } finally {
    folder.ended(how, loader.stats());
    await close();
  }
}

/** A folder that is full, read-only or gone fails every sample alike: the run ends there instead of counting them. */
function endsTheSink(error: unknown): boolean {
  const codes = ['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM', 'EIO', 'EMFILE'];
  for (let at = error; at instanceof Error; at = at.cause) {
    if (codes.includes((at as NodeJS.ErrnoException).code ?? '')) return true;
  }
  return error instanceof PatchstreamError && error.code === 'OUTPUT_FOLDER';
}
