import { join } from 'node:path';
import t from 'tap';
import { builtin } from '../../../src/pipeline/builtin.ts';
import { checkFile } from '../../../src/pipeline/check.ts';
import { run } from '../../../src/runs/run.ts';
import { pictureFolder } from '../../kit/files/folder.ts';

/** Two steps of each file that is published, on few small pictures and at the smallest size. */
t.test('every pipeline of tokenizers and BEiT trains', async (t) => {
  const root = t.testdir();
  await pictureFolder(join(root, 'photos'), 4);
  const small = (name: string) => [
    `source.image-folder.path=${join(root, 'photos')}`,
    'train.batch=2',
    'train.epochs=null',
    'train.steps=2',
    'train.dropLast=false',
    'train.thread=main',
    'train.backend=wasm',
    'evaluate=null',
    `output=${join(root, name)}`,
  ];
  const trained = async (name: string, set: readonly string[]) => {
    const file = join('pipelines', `${name}.yaml`);
    const { resolved, problems } = await checkFile(file, {
      registry: builtin,
      environment: {},
      set: [...small(name), ...set],
    });
    t.same(
      problems.map(({ error }) => error.message),
      [],
      file,
    );
    const { done } = await run(resolved!.definition);
    t.equal(done, 2, name);
  };
  const tokenizer = ['train.model.tokenizer.size=nano', 'train.model.tokenizer.halvings=3'];
  await trained('tokenizer-in1k', tokenizer);
  await trained('tokenizer-quickstart', []);
  const from = (name: string) => [`stages.tokenize.from=${join(root, name)}`, 'stages.tokenize.backend=wasm'];
  await trained('beit-in1k-224', [...from('tokenizer-in1k'), 'train.model.beit.size=nano']);
  await trained('beit-in1k-384', [...from('tokenizer-in1k'), 'train.model.beit.size=nano']);
  await trained('lomar-beit-in1k-224', [...from('tokenizer-in1k'), 'train.model.lomar-beit.size=nano']);
  await trained('beit-quickstart', from('tokenizer-quickstart'));
});
