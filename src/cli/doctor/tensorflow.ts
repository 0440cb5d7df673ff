import type { TfjsNode } from '../builder.ts';
import type { Finding } from './finding.ts';

const what = 'backend tensorflow';
const build = 'LIBTENSORFLOW=python3 npx patchstream doctor --build';

/**
 * What there is to say of the backend `tensorflow`: the package that is taken, and the TensorFlow below it. It is never wrong that it is missing.
 *
 * @param packages those that are installed, in the order in which they are tried. @param install the command that installs one.
 */
export function tensorflowFinding(packages: readonly TfjsNode[], install: string): Finding {
  const taken = packages.find(({ there, gone }) => there && gone !== true) ?? packages[0];
  if (taken === undefined) {
    const found = 'not installed (@tensorflow/tfjs-node)';
    return {
      what,
      found,
      ok: true,
      fix: `where torch cannot be built: ${install}, then ${build} (docs/tensorflow.md)`,
    };
  }
  const { name, version, there, outcome, gone } = taken;
  const named = `${version} (${name.slice(name.indexOf('/') + 1)})`;
  const broken = (why: string) => ({ what, found: `${named}, ${why}`, ok: true, fix: `${build} (docs/tensorflow.md)` });
  if (outcome?.reason !== undefined) return broken(`its binding was not built: ${outcome.reason}`);
  if (!there) return broken('its binding is not built');
  if (outcome === undefined)
    return { what, found: `${named}, with the TensorFlow that the package has downloaded`, ok: true };
  if (gone === true)
    return broken(`its binding was built with TensorFlow ${outcome.version}, which is gone (${outcome.place})`);
  return { what, found: `${named}, on TensorFlow ${outcome.version} in ${outcome.place}`, ok: true };
}
