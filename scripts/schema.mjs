/**
 * Writes what is made from the options of stages, sources, sinks and models: `npm run schema`; with `--check` it only compares, and fails when a
 * file is stale. The files of schema/ are for editors, docs/stages.md for readers.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from './build.mjs';
import { isMain } from './lib/main.mjs';
import { readIfThere } from './lib/stamp.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** @param {boolean} checkOnly */
async function main(checkOnly) {
  if (build(root) !== 0) return 1;
  /** @param {string} name */
  const load = (name) => import(pathToFileURL(join(root, 'dist', name)).href);
  const { builtin } = await load('pipeline/builtin.js');
  const { pipelineSchema } = await load('pipeline/file/schema.js');
  const { stagesPage } = await load('pipeline/stages-page.js');
  const { jsonSchema } = await load('pipeline/options.js');
  const { studyOptions } = await load('studies/options.js');
  const study = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'patchstream study',
    ...jsonSchema(studyOptions),
  };
  const files = {
    'schema/study.schema.json': `${JSON.stringify(study, null, 2)}\n`,
    'schema/pipeline.schema.json': `${JSON.stringify(pipelineSchema(builtin), null, 2)}\n`,
    'docs/stages.md': stagesPage(builtin),
  };
  let stale = 0;
  for (const [name, text] of Object.entries(files)) {
    if (text === readIfThere(join(root, name))) continue;
    stale++;
    if (checkOnly) console.error(`${name} is not what the code says: npm run schema`);
    else {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), text);
    }
  }
  return checkOnly && stale > 0 ? 1 : 0;
}

if (isMain(import.meta.url)) process.exitCode = await main(process.argv.includes('--check'));
