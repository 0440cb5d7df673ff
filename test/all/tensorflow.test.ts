import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { patchstream } from '../kit/runs/terminal.ts';
import { withoutTensorflow } from '../kit/training/tensorflow.ts';
import { withoutTorch } from '../kit/training/torch.ts';

const quickstarts = { lomar: 16, mae: 16, srmae: 32 };

for (const [model, microBatch] of Object.entries(quickstarts)) {
  const steps = model === 'srmae' ? 20 : 50;
  t.test(
    `the quickstart of ${model}: ${steps} steps on tensorflow are those on torch, to a thousandth of the loss`,
    { skip: withoutTensorflow || withoutTorch },
    async (t) => {
      const root = t.testdir({});
      const losses = async (backend: string) => {
        const output = join(root, backend);
        const sets = [`backend=${backend}`, `steps=${steps}`, `microBatch=${microBatch}`, 'thread=main', 'device=cpu'];
        const args = sets.flatMap((set) => ['--set', `train.${set}`]);
        const { code, err } = await patchstream([
          ...['run', `pipelines/${model}-quickstart.yaml`, ...args, '--set', `output=${output}`],
        ]);
        t.equal(code, 0, err);
        const lines = readFileSync(join(output, 'metrics.jsonl'), 'utf8').trim().split('\n');
        return lines.map((line) => (JSON.parse(line) as { loss: number }).loss);
      };
      const [torch, tensorflow] = [await losses('torch'), await losses('tensorflow')];
      t.equal(torch.length, steps);
      t.equal(tensorflow.length, steps);
      t.ok(torch.at(-1)! < torch[0]!, `it learns: ${torch[0]} -> ${torch.at(-1)}`);
      const apart = Math.abs(tensorflow.at(-1)! / torch.at(-1)! - 1);
      t.ok(apart < 1e-3, `at step ${steps} ${tensorflow.at(-1)} and ${torch.at(-1)} are ${apart} apart`);
    },
  );
}
