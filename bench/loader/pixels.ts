/** The most that pixels may be from Pillow's antialiased bicubic, on average, of 255: what is further away is another kind of output. */
const allowed = 2;

/** How far the pixels of each way of doing it are from Pillow's, by name; `ours` is one of the names. */
export type Means = Readonly<Record<string, number>>;

/** The means of an answer. @throws Error where our own pixels are not those that were asked for, or were not compared. */
export function meansOf(answer: Readonly<Record<string, unknown>>): Means {
  const means = answer.means as Means;
  if (!isAlike(means, 'ours')) throw new Error(`our pixels differ from Pillow's by ${means.ours?.toFixed(2)} of 255.`);
  return means;
}

/** The ways that make the same kind of output. @throws Error when there is none. */
export function alikeOnly<W extends { readonly how: string }>(ways: readonly W[], means: Means): W[] {
  const alike = ways.filter(({ how }) => isAlike(means, how));
  if (alike.length === 0) throw new Error(`no peer makes pixels like Pillow's: ${tellPixels(means)}.`);
  return alike;
}

/** `pixels within 0.14 of Pillow's; pillow 0.02, opencv area 3.10 (another output: not measured)` */
export function tellPixels(means: Means): string {
  const { ours, ...others } = means;
  const told = Object.entries(others).map(
    ([how, mean]) => `${how} ${mean.toFixed(2)}${isAlike(means, how) ? '' : ' (another output: not measured)'}`,
  );
  return [...(ours === undefined ? [] : [`pixels within ${ours.toFixed(2)} of Pillow's`]), told.join(', ')]
    .filter((part) => part !== '')
    .join('; ');
}

/** False also for what was not compared. */
function isAlike(means: Means, how: string): boolean {
  return (means[how] ?? Number.NaN) <= allowed;
}
