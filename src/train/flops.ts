/** What a device could compute in a second, and how that is known. */
export interface Peak {
  /** Floating-point operations in a second; a multiply-add is two. */
  readonly flops: number;
  /** `its best product of bfloat16`, or the name that a data sheet has. */
  readonly of: string;
}

/** What a training step costs, and what its device could do: for the share of the device that is used (MFU). */
export interface Compute {
  /** Floating-point operations of one sample in a training step: three forward passes of two for each multiply-add, as `describe` counts them. */
  readonly flopPerSample: number;
  readonly peak?: Peak;
}

/** Of the multiply-adds of a forward pass: backward computes gradients by inputs and by weights. */
export const trainingFlop = (macs: number): number => 6 * macs;

/** Operations in a second, and their share of what the device could do, 0 to 1. */
export function usedOf({ flopPerSample, peak }: Compute, imagesPerSecond: number) {
  const flops = flopPerSample * imagesPerSecond;
  return { flops, ...(peak && { mfu: flops / peak.flops }) };
}

/** `213 GFLOP/s, 47 % of 450 GFLOP/s (its best product of bfloat16)` */
export function computeText(compute: Compute, imagesPerSecond: number): string {
  const { flops, mfu } = usedOf(compute, imagesPerSecond);
  const { peak } = compute;
  const share =
    peak === undefined || mfu === undefined ? '' : `, ${mfuText(mfu)} of ${flopsText(peak.flops)} (${peak.of})`;
  return `${flopsText(flops)}${share}`;
}

/** `47 %` */
export const mfuText = (mfu: number): string =>
  mfu > 0 && mfu < 1e-4 ? 'less than 0.01 %' : `${Number((100 * mfu).toPrecision(2))} %`;

/** `1.5 TFLOP/s`, `213 GFLOP/s` */
export function flopsText(flops: number): string {
  const [unit, name] = flops >= 9.995e11 ? ([1e12, 'TFLOP/s'] as const) : ([1e9, 'GFLOP/s'] as const);
  return `${Number((flops / unit).toPrecision(3))} ${name}`;
}
