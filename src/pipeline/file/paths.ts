import { dirname, resolve } from 'node:path';
import type { JsonSchema } from '../options.ts';
import { type Node, nodeAt, type Path, plain } from './locate.ts';

/**
 * `value` with every path in it changed: every text that the schema calls one (`pathOption`). Addresses (`https://…`) stay, and so do words that
 * the schema lists beside a path. Nothing is taken for a path because of its name or its look.
 */
export function mapPaths(value: unknown, schema: JsonSchema, change: (path: string, at: Path) => string): unknown {
  const walk = (inner: unknown, schemas: readonly JsonSchema[], at: Path): unknown => {
    const shapes = schemas.flatMap((one) => spread(one, schema));
    if (typeof inner === 'string') return isPath(inner, shapes) ? change(inner, at) : inner;
    if (typeof inner !== 'object' || inner === null) return inner;
    if (Array.isArray(inner)) return inner.map((item, i) => walk(item, below(shapes, i), [...at, i]));
    if (Object.getPrototypeOf(inner) !== Object.prototype) return inner;
    return Object.fromEntries(
      Object.entries(inner).map(([key, one]) => [key, walk(one, below(shapes, key), [...at, key])]),
    );
  };
  return walk(value, [schema], []);
}

/** The value of a node whose relative paths start at the file that each stands in: those of `main` stay as they are written. */
export function plainWithPaths(node: Node, schema: JsonSchema, main: string, value = plain(node)): unknown {
  return mapPaths(value, schema, (path, at) => {
    const { file } = nodeAt(node, at).node.place;
    return file === main ? path : resolve(dirname(file), path);
  });
}

function isPath(text: string, shapes: readonly JsonSchema[]): boolean {
  if (/^[a-z][a-z\d+.-]*:\/\//i.test(text)) return false;
  const words = shapes.flatMap((shape) => (shape.const === undefined ? (shape.enum ?? []) : [shape.const]));
  return !words.includes(text) && shapes.some(({ format }) => format === 'path');
}

/** A schema and all that it may stand for. */
function spread(schema: JsonSchema, root: JsonSchema, depth = 0): readonly JsonSchema[] {
  const { anyOf = [], oneOf = [], allOf = [], $ref } = schema;
  const named = $ref === '#' ? root : $ref && root.$defs?.[$ref.replace('#/$defs/', '')];
  // A reference that leads to itself ends.
  if (depth > 16) return [];
  const inner = [...anyOf, ...oneOf, ...allOf, ...(named ? [named] : [])];
  return [schema, ...inner.flatMap((one) => spread(one, root, depth + 1))];
}

function below(shapes: readonly JsonSchema[], part: string | number): readonly JsonSchema[] {
  return shapes.flatMap(({ properties, additionalProperties, items, prefixItems }) => {
    // `--set` writes the place in a list as text.
    const isIndex = typeof part === 'number' || (/^\d+$/.test(part) && properties === undefined);
    if (isIndex && (prefixItems !== undefined || typeof items === 'object'))
      return prefixItems?.[Number(part)] ?? (typeof items === 'object' ? items : []);
    if (typeof part === 'number') return [];
    if (properties !== undefined && Object.hasOwn(properties, part)) return properties[part]!;
    return typeof additionalProperties === 'object' ? additionalProperties : [];
  });
}
