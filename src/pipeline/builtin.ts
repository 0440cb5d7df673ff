import { createRegistry } from './registry.ts';

/** What patchstream itself brings. */
export const builtin = createRegistry({});
