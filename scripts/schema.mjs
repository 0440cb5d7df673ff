/**
 * Writes what is made from the options of stages, sources, sinks and models: `npm run schema`; with `--check` it only compares, and fails when a
 * file is stale. schema/pipeline.schema.json is for editors, docs/stages.md for readers.
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
  const load = (name) => import(pathToFileURL(join(root, 'dist', 'pipeline', name)).href);
  const { builtin } = await load('builtin.js');
  const { pipelineSchema } = await load('file/schema.js');
  const { stagesPage } = await load('stages-page.js');
  const files = {
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
