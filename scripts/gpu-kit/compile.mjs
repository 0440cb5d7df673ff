import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import ts from 'typescript';
import { filesBelow } from '../lib/stamp.mjs';

/** What the sections of the scripts are, and the suites, which are imported by name. */
const entries = [
  /^bench\/gpu\/.+\.ts$/,
  /^test\/backends\/(fused|replay\/replay|replay\/launch|upload|training\.suite|torch\/torch\.suite|torch\/kernels\/[a-z]+)\.test\.ts$/,
];

/**
 * Compiles benches and suites, with all that they import outside of src, one by one: imports of src find the built tree.
 *
 * @param {string} root
 * @param {string} app
 */
export function copyCompiled(root, app) {
  const waiting = ['bench', 'test']
    .flatMap((folder) => filesBelow(root, folder))
    .filter((name) => entries.some((entry) => entry.test(name)));
  const seen = new Set(waiting);
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    for (const next of copyOne(root, app, name)) {
      if (seen.has(next)) continue;
      seen.add(next);
      waiting.push(next);
    }
  }
  for (const name of ['bench/gpu', 'bench/parity', 'bench/peers']
    .flatMap((folder) => filesBelow(root, folder))
    .filter((name) => name.endsWith('.py')))
    copyText(join(root, name), join(app, name));
  // The suites ask for tap.
  const tap = join(app, 'node_modules/tap');
  mkdirSync(tap, { recursive: true });
  writeFileSync(join(tap, 'package.json'), '{ "name": "tap", "type": "module", "exports": "./index.js" }\n');
  writeFileSync(join(tap, 'index.js'), "export { default } from '../../bench/gpu/harness.js';\n");
}

/**
 * Compiles one file and answers what it imports: names relative to the root, without those in src and what is copied anyway.
 *
 * @param {string} root @param {string} app @param {string} name
 */
function copyOne(root, app, name) {
  const text = readFileSync(join(root, name), 'utf8');
  const compilerOptions = {
    module: ts.ModuleKind.ESNext,
    target: ts.ScriptTarget.ES2022,
    verbatimModuleSyntax: true,
    rewriteRelativeImportExtensions: true,
  };
  const { outputText } = ts.transpileModule(text, { fileName: name, compilerOptions });
  const target = join(app, name.replace(/\.ts$/, '.js'));
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, outputText);
  return ts
    .preProcessFile(outputText)
    .importedFiles.map(({ fileName }) => fileName)
    .filter((path) => path.startsWith('.') && path.endsWith('.js'))
    .map((path) => posix.join(posix.dirname(name), path).replace(/\.js$/, '.ts'))
    .filter((path) => !path.startsWith('src/') && existsSync(join(root, path)));
}

/** @param {string} from @param {string} to */
function copyText(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}
