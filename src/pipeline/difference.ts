import { printable } from '../errors.ts';
import { differences } from '../train/differences.ts';

type Written = Readonly<Record<string, unknown>>;

/** What `pipeline.json` says beside the resolved pipeline: what else makes a job another one. */
export interface Beside {
  readonly watch?: true;
  /** By the ids of stages, digests of what lies at the paths among their options. */
  readonly models?: Readonly<Record<string, string>>;
}

/** What differs between the pipeline that a folder is of and the one that is to write there, in words; undefined where nothing does that is written down. */
export function pipelineDifference(before: Written, now: Written): string | undefined {
  const watched = [before, now].map(({ watch }) => watch === true);
  const how = watched[0] === watched[1] ? [] : [`it was run ${watched[0] ? 'with' : 'without'} --watch`];
  const options = differences(decidingOf(before), decidingOf(now));
  const found = [...(options === undefined ? [] : [options]), ...how];
  return (found.length > 0 ? found : modelsOf(before, now)).join('; ') || undefined;
}

function modelsOf(before: Written, now: Written): string[] {
  const [one, other] = [before, now].map(({ models }) => (models ?? {}) as Readonly<Record<string, unknown>>);
  return Object.keys(other!)
    .filter((id) => one![id] !== undefined && one![id] !== other![id])
    .map((id) => `the model of \`${printable(id)}\` was trained or written anew since`);
}

/** A resolved pipeline without what decides its speed alone, how often it is saved, and who listens. */
function decidingOf({
  permits: _p,
  threads: _t,
  reads: _d,
  track: _r,
  watch: _w,
  models: _m,
  ...rest
}: Written): Written {
  if (typeof rest.train !== 'object' || rest.train === null) return rest;
  const { checkpoint: _c, microBatch: _b, thread: _h, ...train } = rest.train as Written;
  return { ...rest, train };
}
