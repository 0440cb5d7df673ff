import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { shownFile } from '../file/locate.ts';
import { redact } from '../file/redact.ts';
import type { ResolvedSource } from './evaluate.ts';
import type { Resolved } from './resolve.ts';

/**
 * The folders and files that a pipeline reads and that are not there, each once, as they are shown to people: no problem of the pipeline, which may be
 * checked where its data are not, but one of its run. Looks whether they exist, and at nothing in them.
 */
export function missingFolders({ definition, source, stages, train, evaluate }: Resolved): string[] {
  const measured = evaluate?.measures.flatMap(({ data }) => Object.values(data).map((chain) => chain.source));
  const paths = [
    ...[source, ...(measured ?? [])].flatMap((one) => (one === undefined ? [] : pathsOf(one))),
    ...stages.flatMap((stage) => stage.definition?.reads?.(stage.options) ?? []),
    ...(train?.init === undefined ? [] : [train.init]),
  ];
  const absent = [...new Set(paths.map((path) => resolve(definition.base, path)))].filter((path) => !existsSync(path));
  return absent.map((path) => redact(shownFile(path), definition.origin?.secrets ?? []));
}

function pathsOf({ definition, options }: ResolvedSource): readonly string[] {
  const folder = definition.folder?.(options);
  const paths = definition.reads?.(options) ?? (folder === undefined ? [] : [folder]);
  return paths.filter((path) => !/^[a-z][a-z0-9+.-]+:\/\//i.test(path));
}
