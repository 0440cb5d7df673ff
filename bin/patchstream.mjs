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
  // A reader that has seen enough (`| head`) closes the pipe: that is no error of ours, and nothing more can be said.
  for (const output of [process.stdout, process.stderr]) {
    output.on('error', (error) => {
      if (error.code === 'EPIPE') process.exit(0);
      throw error;
    });
  }
  const { main } = await import(program.href);
  process.exitCode = await main(process.argv.slice(2), process);
}
