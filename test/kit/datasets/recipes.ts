import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Test } from 'tap';
import { builtin } from '../../../src/pipeline/builtin.ts';
import { checkFile } from '../../../src/pipeline/check.ts';
import type { Resolved } from '../../../src/pipeline/resolve/resolve.ts';
import { writeFiles } from '../files/folder.ts';
import { patchstream } from '../runs/terminal.ts';
import { expwShards, imagenetClasses, publishedData } from './published.ts';

export interface Recipes {
  /** Trains two steps of a nano model by a file of `pipelines/`, after the trainings that it begins with; nothing where it is none or is done. */
  train(name: string): Promise<void>;
  /** The same by a file with values of the command line laid over it, from fresh weights; of a tiny model, whose blocks are as many as those of the real ones. */
  vary(name: string, sets: readonly string[]): Promise<void>;
  /** How many were trained. */
  readonly count: number;
}

/** Trainings of files in `pipelines/` on small data sets. With `fresh`, none begins with the weights of another. */
export async function recipes(t: Test, { fresh = false } = {}): Promise<Recipes> {
  const root = t.testdir({});
  const runs = join(root, 'runs');
  const env = await publishedData(root);
  const done = new Map<string, Promise<void>>();
  let varied = 0;
  const ran = (file: string, set: readonly string[] = []) =>
    patchstream(['run', file, ...set.flatMap((value) => ['--set', value])], { env });

  async function train(name: string): Promise<void> {
    const known = done.get(name);
    if (known !== undefined) return known;
    const file = join('pipelines', `${name}.yaml`);
    const { resolved, problems } = await checkFile(file, { registry: builtin, environment: env });
    t.same(
      problems.map(({ error }) => error.message),
      [],
      name,
    );
    if (resolved?.train === undefined) return;
    const made = trained(name, file, resolved);
    done.set(name, made);
    return made;
  }

  async function trained(name: string, file: string, resolved: Resolved): Promise<void> {
    const { init, tokenizer } = needs(resolved);
    for (const needed of [fresh ? undefined : init, tokenizer]) if (needed !== undefined) await train(needed);
    if (resolved.source!.name === 'shards' && !done.has('faces')) {
      writeFiles(root, { 'faces.yaml': expwShards(join(runs, 'expw-faces')) });
      done.set(
        'faces',
        ran(join(root, 'faces.yaml')).then(({ code, err }) => void t.equal(code, 0, err)),
      );
    }
    await done.get('faces');
    const start = init === undefined ? [] : [`train.init=${fresh ? null : join(runs, init)}`];
    const { code, out, err } = await ran(file, [`output=${join(runs, name)}`, ...start, ...smaller(resolved, runs)]);
    t.equal(code, 0, `${name}: ${err}`);
    const rows = readFileSync(join(runs, name, 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n');
    const losses = rows.map((row) => (JSON.parse(row) as { loss: number }).loss);
    t.ok(losses.length === 2 && losses.every((loss) => Number.isFinite(loss) && loss > 0), `${name}: ${losses}`);
    if (resolved.train!.model!.name !== 'classifier') return;
    t.match(out + err, /^Accuracy at .* pictures?\)$/m, `${name} is measured`);
    if (init !== undefined && !fresh)
      t.match(out + err, /holds an encoder: it is taken/, `${name} begins with ${init}`);
  }

  async function vary(name: string, sets: readonly string[]): Promise<void> {
    const whole = `${name} ${sets.join(' ')}`;
    const file = join('pipelines', `${name}.yaml`);
    const { resolved } = await checkFile(file, { registry: builtin, environment: env });
    const tiny = smaller(resolved!, runs).map((value) => value.replace('size=nano', 'size=tiny'));
    const output = join(runs, `variant-${varied++}`);
    const start = resolved!.train!.init === undefined ? [] : ['train.init=null'];
    const { code, err } = await ran(file, [`output=${output}`, ...start, ...tiny, ...sets]);
    t.equal(code, 0, `${whole}: ${err}`);
    const rows = readFileSync(join(output, 'metrics.jsonl'), 'utf8').trim().split('\n');
    t.equal(rows.length, 2, whole);
  }

  return {
    train,
    vary,
    get count() {
      return done.size;
    },
  };
}

/** The files whose runs a training needs: its first weights, the codes of its pictures. */
function needs({ train, stages }: Resolved): { readonly init?: string; readonly tokenizer?: string } {
  const tokenize = stages.find(({ name }) => name === 'tokenize')?.options as { readonly from: string } | undefined;
  return {
    ...(train!.init !== undefined && { init: basename(train!.init) }),
    ...(tokenize && { tokenizer: basename(tokenize.from) }),
  };
}

/** What makes a training small enough, as `--set` takes it. */
function smaller(resolved: Resolved, runs: string): string[] {
  const { source, train, evaluate } = resolved;
  const model = train!.model!.name;
  const isClassifier = model === 'classifier';
  const { tokenizer } = needs(resolved);
  const data = source!.name;
  const ofData =
    data === 'imagenet' ? [`classes=${imagenetClasses}`] : data === 'shards' ? [`path=${runs}/expw-faces/shards`] : [];
  return [
    ...['train.batch=4', 'train.epochs=null', 'train.steps=2', 'train.thread=main', `train.model.${model}.size=nano`],
    ...(model === 'tokenizer' ? ['train.model.tokenizer.halvings=3'] : []),
    ...(tokenizer === undefined ? [] : [`stages.tokenize.from=${join(runs, tokenizer)}`]),
    ...ofData.map((option) => `source.${data}.${option}`),
    ...(isClassifier ? ofData.map((option) => `evaluate.classify.on.${data}.${option}`) : []),
    ...(isClassifier && data === 'imagenet' ? [`train.model.classifier.classes=${imagenetClasses}`] : []),
    ...(isClassifier || evaluate === undefined ? [] : ['evaluate=null']),
  ];
}
