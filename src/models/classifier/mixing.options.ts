/** When and how strongly samples are mixed in pairs. Free of tfjs. */
export interface Mixing {
  /** α of mixup's and cutmix's Beta(α, α); 0 for none of it. */
  readonly mixup: number;
  readonly cutmix: number;
  /** Share of the steps that mix at all. */
  readonly mixProbability: number;
  /** Share of these that cut, where both are on. */
  readonly switchProbability: number;
}

/** Whether any step may mix. */
export function mixes({ mixup, cutmix, mixProbability }: Mixing): boolean {
  return mixProbability > 0 && (mixup > 0 || cutmix > 0);
}
