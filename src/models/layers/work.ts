import type { Spec } from '../../vision/spec.ts';
import type { ModelWork } from '../define.ts';
import type { MaeShape } from '../mae/options.ts';

/** What the two networks of an asymmetric model take; `more` blocks' worth beside the decoder's. */
export function asymmetricWork(
  { width, depth, heads, K, decoder, clsTokens = 1 }: MaeShape,
  { hidden = 0 }: Spec,
  more = 0,
): ModelWork {
  const [visible, all] = [K * K - hidden + clsTokens, K * K + clsTokens];
  const head = { ...decoder, depth: decoder.depth + more, tokens: all, sequence: all };
  return { tokens: visible, sequence: visible, width, depth, heads, also: [head] };
}
