/**
 * What each parameter's learning rate is multiplied by, so that early layers move less: decay^(L + 1 − layer). Layer 0 is all in front of the blocks
 * (tokens, positions, patch embedding), block i is layer i + 1, and the rest is layer L + 1. Source: Clark et al. 2020 (ELECTRA), as in BEiT and MAE.
 *
 * @param names of all parameters. @param decay above 0, at most 1.
 */
export function layerScales(names: readonly string[], decay: number): number[] {
  const blocks = new Set(names.flatMap((name) => blockOf(name) ?? []));
  const last = blocks.size + 1;
  return names.map((name) => decay ** (last - layerOf(name, last)));
}

function blockOf(name: string): number | undefined {
  const [, number] = /^blocks\.(\d+)\./.exec(name) ?? [];
  return number === undefined ? undefined : Number(number);
}

function layerOf(name: string, last: number): number {
  if (/^(cls_token|mask_token|pos_embed)$|^(patch_embed|rel_pos_bias)\./.test(name)) return 0;
  const block = blockOf(name);
  return block === undefined ? last : block + 1;
}
