import type { Inputs, Program } from './recorder.ts';

/** What is known of the micro-batches of one shape. */
export interface Plan {
  recordings: number;
  /** The newest recording that could be replayed, if the newest can. */
  program: Program | undefined;
  /** What its micro-batch returned. */
  count: number;
  /** Two recordings were equal: `program` serves from now on. */
  ready: boolean;
  /** The sums to which it adds, in that order. */
  order: readonly number[];
  /** A replay was compared with what it stands for. */
  checked: boolean;
  /** So was a launch of the whole program. */
  launched: boolean;
}

export function newPlan(): Plan {
  return {
    recordings: 0,
    program: undefined,
    count: 0,
    order: [],
    ready: false,
    checked: false,
    launched: false,
  };
}

export function shapesOf(inputs: Inputs): string {
  let key = '';
  for (const [name, { dtype, shape }] of Object.entries(inputs)) key += `${name} ${dtype} ${shape.join()};`;
  return key;
}
