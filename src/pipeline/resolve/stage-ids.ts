import type { StageKind } from '../../streams/stage.ts';

/** The ids of a chain's stages: an explicit `id`, else the name, `name#2` for the second of that name. Ids key the stages' chance. */
export function stageIds(kinds: readonly Pick<StageKind, 'name' | 'policy'>[]): string[] {
  const seen = new Map<string, number>();
  return kinds.map(({ name, policy }) => {
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    if (policy.id !== undefined) return String(policy.id);
    return count === 1 ? name : `${name}#${count}`;
  });
}
