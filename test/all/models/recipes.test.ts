import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import t from 'tap';
import { builtin } from '../../../src/pipeline/builtin.ts';
import { checkFile } from '../../../src/pipeline/check.ts';
import { expwShards, imagenetClasses, publishedData } from '../../kit/datasets/published.ts';
import { writeFiles } from '../../kit/files/folder.ts';
import { patchstream } from '../../kit/runs/terminal.ts';

/** Trainings on data that is published apart, all of them; the others are run elsewhere. */
const names = readdirSync('pipelines')
  .filter((name) => !/quickstart|ablation|mae-cls-tokens/.test(name))
  .map((name) => name.replace(/\.yaml$/, ''));

t.test(
  'every recipe trains two steps of a nano model on a small data set, after those that it begins with',
  async (t) => {
    const root = t.testdir({});
    const env = await publishedData(root);
    const runs = join(root, 'runs');
    writeFiles(root, { 'faces.yaml': expwShards(join(runs, 'expw-faces')) });
    t.match(await runFile(join(root, 'faces.yaml')), { code: 0 });
    const done = new Map<string, Promise<void>>();
    for (const name of names) await trained(name);
    t.ok(done.size > 40, `${done.size} trainings`);

    function runFile(file: string, set: readonly string[] = []) {
      return patchstream(['run', file, ...set.flatMap((value) => ['--set', value])], { env });
    }

    async function trained(name: string): Promise<void> {
      const known = done.get(name);
      if (known !== undefined) return known;
      const made = train(name);
      done.set(name, made);
      return made;
    }

    async function train(name: string): Promise<void> {
      const file = join('pipelines', `${name}.yaml`);
      const { resolved, problems } = await checkFile(file, { registry: builtin, environment: env });
      t.same(
        problems.map(({ error }) => error.message),
        [],
        name,
      );
      const { source, stages, train, evaluate } = resolved!;
      if (train === undefined) return;
      const model = train.model!.name;
      const isClassifier = model === 'classifier';
      const tokenize = stages.find((stage) => stage.name === 'tokenize')?.options as { from: string } | undefined;
      const before = [train.init, tokenize?.from].filter((path) => path !== undefined).map((path) => basename(path));
      for (const needed of before) await trained(needed);
      const on = source!.name === 'shards' ? `path=${runs}/expw-faces/shards` : undefined;
      const data = source!.name;
      const set = [
        ...[`output=${join(runs, name)}`, 'train.batch=4', 'train.epochs=null', 'train.steps=2', 'train.thread=main'],
        `train.model.${model}.size=nano`,
        ...(model === 'tokenizer' ? ['train.model.tokenizer.halvings=3'] : []),
        ...(train.init === undefined ? [] : [`train.init=${join(runs, before[0]!)}`]),
        ...(tokenize === undefined ? [] : [`stages.tokenize.from=${join(runs, before.at(-1)!)}`]),
        ...(on === undefined ? [] : [`source.shards.${on}`]),
        ...(isClassifier || evaluate === undefined ? [] : ['evaluate=null']),
        ...(isClassifier && on !== undefined ? [`evaluate.classify.on.shards.${on}`] : []),
        ...(data === 'imagenet'
          ? [`source.imagenet.classes=${imagenetClasses}`, `evaluate.classify.on.imagenet.classes=${imagenetClasses}`]
          : []),
        ...(data === 'imagenet' ? [`train.model.classifier.classes=${imagenetClasses}`] : []),
      ];
      const { code, out, err } = await runFile(file, set);
      t.equal(code, 0, `${name}: ${err}`);
      const rows = readFileSync(join(runs, name, 'metrics.jsonl'), 'utf8')
        .trim()
        .split('\n');
      const losses = rows.map((row) => (JSON.parse(row) as { loss: number }).loss);
      t.ok(losses.length === 2 && losses.every((loss) => Number.isFinite(loss) && loss > 0), `${name}: ${losses}`);
      if (!isClassifier) return;
      t.match(out + err, /^Accuracy at .* pictures?\)$/m, `${name} is measured`);
      if (train.init !== undefined)
        t.match(out + err, /holds an encoder: it is taken/, `${name} begins with ${before[0]}`);
    }
  },
);
