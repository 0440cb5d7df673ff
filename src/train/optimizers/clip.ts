/**
 * What a gradient that is too long is multiplied by, as in torch's clip_grad_norm_: clip / (norm + 1e-6) where that is below 1. 1 where nothing is
 * clipped.
 *
 * @param norm of the whole gradient, once it was measured. @param clip the greatest norm.
 */
export function shortening(norm: number | undefined, clip: number | undefined): number {
  if (clip === undefined) return 1;
  if (norm === undefined) throw new Error('the gradient must be measured before it is clipped');
  return Math.min(1, clip / (norm + 1e-6));
}
