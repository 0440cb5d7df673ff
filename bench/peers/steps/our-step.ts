import { chooseBackend } from '../../../src/backends/choose.ts';
import { isAbsent, torchAddon } from '../../../src/native.ts';
import { type Plan, planOf } from '../../train-step/plans.ts';
import { openTraining, type Training } from '../../train-step/training.ts';

const precisions = ['float32', 'bfloat16'] as const;
type Precision = (typeof precisions)[number];

type Request =
  | { readonly open: { readonly model: Plan['model']; readonly size: Plan['size']; readonly N: number } }
  | { readonly step: number; readonly precision: Precision };

/** The same training in each precision. */
let trainings: Readonly<Partial<Record<Precision, Training>>> = {};

export async function hello(): Promise<object> {
  await chooseBackend({ backend: 'torch', device: 'cpu' });
  const addon = torchAddon();
  return { version: isAbsent(addon) ? addon.found : `libtorch ${addon.info().version}` };
}

/** `{"ms"}`: the least of the steps asked for. */
export async function answer(request: Request): Promise<object> {
  if ('open' in request) {
    for (const training of Object.values(trainings)) training.dispose();
    const { model, size, N } = request.open;
    trainings = Object.fromEntries(
      await Promise.all(precisions.map(async (each) => [each, await openTraining(planOf(model, size, N))] as const)),
    );
    return {};
  }
  const { precision: wish } = request;
  const { precision } = await chooseBackend({ backend: 'torch', device: 'cpu', precision: wish });
  if (precision !== wish) throw new Error(`This machine computes ${wish} in ${precision}.`);
  const times: number[] = [];
  for (let i = 0; i < request.step; i++) times.push(await trainings[precision]!.step());
  return { ms: Math.min(...times) };
}
