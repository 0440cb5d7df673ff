/** What is to be done about `name:value`, which YAML takes for one word; undefined where `text` has no such name. */
export function colonAdvice(text: string, names: Iterable<string>): string | undefined {
  const known = new Set(names);
  for (const [, name, value] of text.matchAll(/(?:^|[\s{,])([A-Za-z][\w-]*):([^\s,}]+)/g)) {
    if (known.has(name!)) return `Put a space after the colon: \`${name}: ${value}\`.`;
  }
  return undefined;
}

/** What is to be done about a text where a number, or true or false, belongs: `"100"`, `yes`. */
export function plainAdvice(text: string, type: unknown): string | undefined {
  if (type === 'number' || type === 'integer') {
    return text.trim() !== '' && Number.isFinite(Number(text))
      ? `Write it without quotes: ${Number(text)}.`
      : undefined;
  }
  if (type !== 'boolean') return undefined;
  if (/^(yes|on|true|y)$/i.test(text)) return 'Write `true`.';
  return /^(no|off|false|n)$/i.test(text) ? 'Write `false`.' : undefined;
}
