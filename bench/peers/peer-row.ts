import type { Row } from './row.ts';

/** A row of the table of peers: a comparison, or a peer that is not here and why. */
export type PeerRow = PeerComparison | PeerAbsent;

export interface PeerComparison extends Row {
  /** The day of the measurement, where it is not that of the whole table. */
  readonly date?: string;
  readonly kind: 'loader' | 'step';
  readonly peer: string;
  readonly version: string;
  /** The least and the largest ratio of a round. */
  readonly spread: readonly [least: number, largest: number];
  readonly rounds: number;
  /** Loader: how far the peer's pixels are from Pillow's antialiased bicubic, mean of 255. */
  readonly pixels?: number;
  /** Loader: ours with batches that are new arrays, images/s. */
  readonly owned?: number;
  /** Step: `lomar tiny`, and our engine. */
  readonly model?: string;
  readonly engine?: string;
  /** Step: what ours computed in; float32 where it is not said. */
  readonly precision?: 'float32' | 'bfloat16';
}

export interface PeerAbsent {
  readonly date?: string;
  readonly what: string;
  readonly kind: 'loader' | 'step';
  readonly peer: string;
  /** Why it is not here. */
  readonly missing: string;
}

export const isAbsentRow = (row: PeerRow): row is PeerAbsent => 'missing' in row;
