import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { builtin } from '../../src/pipeline/builtin.ts';
import { checkFile } from '../../src/pipeline/check.ts';
import { pipelineSchema, stagesPage } from '../../src/pipeline/schema.ts';

t.test('every file in pipelines/ has no problems, and says at its top what it is', async (t) => {
  const files = readdirSync('pipelines').filter((name) => /\.(ya?ml|m?[jt]s)$/.test(name));
  t.ok(files.length > 0);
  for (const name of files) {
    const file = join('pipelines', name);
    const { problems } = await checkFile(file, { registry: builtin, environment: {} });
    t.same(
      problems.map(({ error }) => error.message),
      [],
      name,
    );
    t.match(readFileSync(file, 'utf8'), /^(#|\/\/|\/\*)/, `${name} begins with a comment`);
  }
});

t.test('what is made from the options is what the options say: npm run schema', async (t) => {
  t.equal(readFileSync('schema/pipeline.schema.json', 'utf8'), `${JSON.stringify(pipelineSchema(builtin), null, 2)}\n`);
  t.equal(readFileSync('docs/stages.md', 'utf8'), stagesPage(builtin));
});

t.test('the schema completes every stage, source, sink and model', async (t) => {
  const schema = JSON.stringify(pipelineSchema(builtin));
  for (const known of [builtin.stages, builtin.sources, builtin.sinks, builtin.models]) {
    for (const name of known.keys()) t.ok(schema.includes(`"${name}":{"description"`), name);
  }
});

t.test('the page has a part for every stage, source, sink and model', async (t) => {
  const page = stagesPage(builtin);
  for (const known of [builtin.stages, builtin.sources, builtin.sinks, builtin.models]) {
    for (const name of known.keys()) t.ok(page.includes(`\n### \`${name}\`\n`), name);
  }
});

t.test('every option is described', async (t) => {
  for (const row of stagesPage(builtin)
    .split('\n')
    .filter((line) => line.startsWith('| `')))
    t.notMatch(row, /\| {2}\|$/, row);
});
