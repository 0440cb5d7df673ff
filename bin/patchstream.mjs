#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const program = new URL('../dist/cli/main.js', import.meta.url);

if (!existsSync(fileURLToPath(program))) {
  console.error(
    'patchstream: dist is missing. In a clone: node scripts/setup.mjs, or npm ci. As a dependency: install the package again.',
  );
  process.exitCode = 2;
} else {
  const { main } = await import(program.href);
  process.exitCode = await main(process.argv.slice(2), process);
}
