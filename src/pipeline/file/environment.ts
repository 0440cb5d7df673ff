import { fail } from '../../errors.ts';
import type { Problem } from '../problem.ts';
import type { Node, ScalarNode } from './locate.ts';
import { placeText } from './locate.ts';
import type { Secret } from './redact.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

const reference = /\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}/g;

/**
 * Puts values of the environment into strings: `${NAME}`, or `${NAME:-default}`. A value that is nothing but a reference, in quotes or
 * not (between brackets YAML wants quotes), becomes a number or a truth value where it reads as one: `epochs: ${EPOCHS:-3}`. Values from the environment are secrets: they
 * are shown as `${NAME}` wherever a definition is shown; defaults stand in the file and are not.
 */
export function substitute(
  root: Node,
  environment: Environment,
): { root: Node; secrets: Secret[]; problems: Problem[] } {
  const secrets = new Map<string, Secret>();
  const problems: Problem[] = [];
  const fill = (node: ScalarNode, text: string): ScalarNode => {
    const value = text.replace(reference, (shown, name: string, fallback: string | undefined) => {
      const found = environment[name];
      if (found !== undefined && found !== '') {
        secrets.set(`${name}=${found}`, { value: found, shown: `\${${name}}` });
        return found;
      }
      if (fallback !== undefined) return fallback;
      const advice = `Set it, or write a default: \`\${${name}:-default}\`.`;
      problems.push({
        error: fail('ENVIRONMENT_MISSING', { name, advice }, { where: placeText(node.place) }),
        place: node.place,
      });
      return shown;
    });
    const whole = /^\$\{[^}]*\}$/.test(text);
    return { ...node, value: whole ? read(value) : value };
  };
  const walk = (node: Node): Node => {
    if (node.kind === 'map')
      return { ...node, entries: new Map([...node.entries].map(([key, inner]) => [key, walk(inner)])) };
    if (node.kind === 'list') return { ...node, items: node.items.map(walk) };
    return typeof node.value === 'string' && node.value.includes('${') ? fill(node, node.value) : node;
  };
  return { root: walk(root), secrets: [...secrets.values()], problems };
}

function read(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  // A number as one writes it: '007' and '1.50' are names.
  return /^-?\d/.test(text) && (String(Number(text)) === text || /^-?\d+(\.\d+)?e[-+]?\d+$/i.test(text))
    ? Number(text)
    : text;
}
