import { counted } from '../../counts.ts';
import { printable } from '../../errors.ts';
import type { LikeRow, PictureRow } from './row.ts';

/** A group of pictures that look like each other, directly or by way of others. */
export interface Group {
  readonly pictures: readonly GroupedPicture[];
}

export interface GroupedPicture {
  readonly key: string;
  /** Which picture of the group it is most like; of equal ones the first picture. */
  readonly nearest: Omit<Like, 'position'>;
}

/** An earlier picture that one looks like; of vectors there are no bits. */
export type Like = Omit<LikeRow, 'bits'> & { readonly bits?: number };

/**
 * Puts pictures that look like each other into groups: any two of a group are joined by a chain of near-duplicates. Pictures must come in the order of their positions; groups are
 * in the order of their first pictures, and so are those in them.
 */
export class Groups {
  #pictures = 0;
  /** Those that are like another one, by their position and key. */
  readonly #members = new Map<string, Member>();

  /** Pictures that were added. */
  get pictures(): number {
    return this.#pictures;
  }

  add({ key, position, like }: Pick<PictureRow, 'key' | 'position' | 'like'>): void {
    this.#pictures++;
    for (const one of like) this.join({ key, position }, one);
  }

  /** Counts pictures, of which only the pairs are joined. */
  see(pictures: number): void {
    this.#pictures += pictures;
  }

  /**
   * Two pictures are alike. The groups do not depend on the order of calls.
   *
   * @param before the earlier one of them. @returns whether this has changed the groups.
   */
  join({ key, position }: Pick<PictureRow, 'key' | 'position'>, before: Like): boolean {
    const { position: place, ...one } = before;
    const [earlier, later] = [this.#member(one.key, place), this.#member(key, position)];
    if (earlier === later) return false;
    // The earlier root stays, so that each group is known by its first picture.
    const [a, b] = [rootOf(earlier), rootOf(later)].sort(byPosition) as [Member, Member];
    if (a !== b) b.parent = a;
    const forEarlier = approach(earlier, { ...one, key }, position);
    const forLater = approach(later, one, place);
    return a !== b || forEarlier || forLater;
  }

  /** The groups by now. */
  list(): Group[] {
    const groups = new Map<Member, Member[]>();
    for (const member of [...this.#members.values()].sort(byPosition)) {
      const root = rootOf(member);
      const group = groups.get(root);
      if (group === undefined) groups.set(root, [member]);
      else group.push(member);
    }
    return [...groups.values()].map((group) => ({
      pictures: group.map(({ key, nearest }) => ({ key, nearest: nearest! })),
    }));
  }

  #member(key: string, position: number): Member {
    const known = this.#members.get(key);
    if (known !== undefined) return known;
    const made: Member = { key, position, parent: undefined, nearest: undefined, nearestAt: 0 };
    this.#members.set(key, made);
    return made;
  }
}

interface Member {
  readonly key: string;
  readonly position: number;
  parent: Member | undefined;
  nearest: GroupedPicture['nearest'] | undefined;
  /** The position of the nearest. */
  nearestAt: number;
}

function rootOf(member: Member): Member {
  let root = member;
  while (root.parent !== undefined) root = root.parent;
  // What was walked over is shorter the next time.
  if (root !== member) member.parent = root;
  return root;
}

/** The pictures of one sample share its position. */
function byPosition(a: Member, b: Member): number {
  return a.position - b.position || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
}

/** Takes what is nearer than the nearest one so far; of equal ones the first picture is. @returns whether it was taken. */
function approach(member: Member, found: GroupedPicture['nearest'], position: number): boolean {
  const { nearest, nearestAt } = member;
  const isNearer =
    nearest === undefined ||
    found.likeness > nearest.likeness ||
    (found.likeness === nearest.likeness && position < nearestAt);
  if (isNearer) {
    member.nearest = found;
    member.nearestAt = position;
  }
  return isNearer;
}

/** `2 groups of near-duplicates, 5 of 100 pictures` */
export function summaryOf(pictures: number, groups: readonly Group[]): string {
  const like = groups.reduce((sum, group) => sum + group.pictures.length, 0);
  return `${counted(groups.length, 'group')} of near-duplicates, ${like} of ${counted(pictures, 'picture')}`;
}

/** `0.98, a crop of cats/a.jpg, mirrored` */
export function howLike({ key, nearest }: GroupedPicture): string {
  const { likeness, mirrored, crop } = nearest;
  const other = printable(nearest.key);
  const what =
    crop === undefined ? `like ${other}` : crop.of === key ? `shows more than ${other}` : `a crop of ${other}`;
  return `${likeness.toFixed(2)}, ${what}${mirrored ? ', mirrored' : ''}`;
}
