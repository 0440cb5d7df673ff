/**
 * Writes the pages that are made from the code: `npm run docs`; with `--check` it only compares, and fails when a page is stale.
 * Each generator is a function in `pages` below.
 */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createJiti } from 'jiti';
import { isMain } from './lib/main.mjs';
import { readIfThere } from './lib/stamp.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * A message as it is where a number is not one: `{limit:byte}` is `{limit} bytes`.
 *
 * @param {string} message
 */
const withPlurals = (message) =>
  message.replace(/\{(\w+):(\w+)(?:\/(\w+))?\}/g, (_, name, one, many = `${one}s`) => `{${name}} ${many}`);

/**
 * The page of all error codes.
 *
 * @param {Record<string, string>} catalogue
 */
export function errorsPage(catalogue) {
  // A `<` outside of code would begin a tag.
  /** @param {string} text */
  const cell = (text) => text.replaceAll('|', '\\|').replace(/`[^`]*`|</g, (part) => (part === '<' ? '&lt;' : part));
  const rows = Object.keys(catalogue)
    .sort()
    .map((code) => `| \`${code}\` | ${cell(withPlurals(catalogue[code] ?? ''))} |`);
  return `# Errors

Every error that patchstream makes on purpose has a code that never changes its meaning: \`error.code\` in a program, the first word of the line on the
command line. Names in braces are filled with what was found. This page is made by \`npm run docs\` from \`src/errors.ts\`.

| code | message |
| --- | --- |
${rows.join('\n')}
`;
}

/**
 * Loads a file of src as it stands, so that a page can be made while another part does not compile.
 *
 * @template T
 * @param {string} name
 * @returns {Promise<T>}
 */
const source = (name) => createJiti(import.meta.url).import(join(root, 'src', name));

/** @returns {Promise<string>} */
async function errors() {
  /** @type {{ catalogue: Record<string, string> }} */
  const { catalogue } = await source('errors.ts');
  return errorsPage(catalogue);
}

/** What is written where. @type {Record<string, () => Promise<string>>} */
const pages = { 'docs/errors.md': errors };

/** @param {boolean} checkOnly */
async function main(checkOnly) {
  let stale = 0;
  for (const [name, page] of Object.entries(pages)) {
    const text = await page();
    if (text === readIfThere(join(root, name))) continue;
    stale++;
    if (checkOnly) console.error(`${name} is not what the code says: npm run docs`);
    else writeFileSync(join(root, name), text);
  }
  return checkOnly && stale > 0 ? 1 : 0;
}

if (isMain(import.meta.url)) process.exitCode = await main(process.argv.includes('--check'));
