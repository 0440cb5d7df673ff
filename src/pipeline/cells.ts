import { fail } from '../errors.ts';

/**
 * C, the cells of a ring: as asked, or 3 × the micro-batch, at least 2 × it and one per thread.
 *
 * @throws CELLS_TOO_FEW when fewer are asked for: the run would stand still.
 */
export function cellsOf(asked: number | undefined, micro: number, threads: number): number {
  const needed = 2 * micro + threads;
  if (asked !== undefined && asked < needed) throw fail('CELLS_TOO_FEW', { needed, cells: asked });
  return asked ?? Math.max(3 * micro, needed);
}
