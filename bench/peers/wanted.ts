/** Whether a bench's arguments choose `name`: they name it, or none of its kind. */
export function isWanted(name: string, kind: Iterable<string>, args: readonly string[]): boolean {
  return args.includes(name) || !Array.from(kind).some((other) => args.includes(other));
}

/** @throws Error for an argument that names nothing of these kinds. */
export function refuseUnknown(args: readonly string[], ...kinds: readonly Iterable<string>[]): void {
  const known = new Set(kinds.flatMap((kind) => Array.from(kind)));
  const unknown = args.find((each) => !known.has(each));
  if (unknown !== undefined) throw new Error(`${unknown} is none of ${Array.from(known).join(', ')}.`);
}
