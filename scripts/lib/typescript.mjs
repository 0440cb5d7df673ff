/**
 * `node --import ./scripts/lib/typescript.mjs FILE.ts`: Node runs TypeScript as it is written, as modules of its own, like the built library. (jiti, by which
 * the program reads users' definitions, turns modules into functions that look up every import at every use.) What a file compiles to is kept by its content,
 * so that of the hundreds of processes of the tests only the first that meets a file loads the compiler. The loader that the test runner brings along
 * compiles everything anew in each of them, which was three quarters of the time that all tests took.
 */
import * as module from 'node:module';
import { loadSync, resolveSync } from './typescript-hooks.mjs';

// In the thread of what it loads where Node can (22.15 and later, whose newest releases warn of the other way).
const { registerHooks } =
  /** @type {{ registerHooks?: (hooks: { load: typeof loadSync, resolve: typeof resolveSync }) => void }} */ (module);
if (registerHooks) registerHooks({ load: loadSync, resolve: resolveSync });
else module.register('./typescript-hooks.mjs', import.meta.url);
