import { chooseBackend } from '../../../src/backends/choose.ts';
import { isAbsent, torchAddon } from '../../../src/native.ts';
import { type Plan, planOf } from '../../train-step/plans.ts';
import { openTraining, type Training } from '../../train-step/training.ts';

type Request =
  | { readonly open: { readonly model: Plan['model']; readonly size: Plan['size']; readonly N: number } }
  | { readonly step: number };

let training: Training | undefined;

export async function hello(): Promise<object> {
  await chooseBackend({ backend: 'torch', device: 'cpu' });
  const addon = torchAddon();
  return { version: isAbsent(addon) ? addon.found : `libtorch ${addon.info().version}` };
}

/** `{"ms"}`: the least of the steps asked for. */
export async function answer(request: Request): Promise<object> {
  if ('open' in request) {
    training?.dispose();
    const { model, size, N } = request.open;
    training = await openTraining(planOf(model, size, N));
    return {};
  }
  const times: number[] = [];
  for (let i = 0; i < request.step; i++) times.push(await training!.step());
  return { ms: Math.min(...times) };
}
