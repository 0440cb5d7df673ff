import type { AdamWUpdate, LambUpdate, LarsUpdate, LionUpdate } from '../../updates.ts';
import { flag, type KernelTable, kernel, list, listsOf } from './kernel.ts';

/** The kernels that `../fused.ts` describes. */
export const fusedKernels: KernelTable = {
  PatchstreamGelu: kernel((torch, { x }) => torch.all('PatchstreamGelu', [x])),
  PatchstreamLinear: kernel<{ gelu: boolean }>((torch, { x, weight, bias }, { gelu }) =>
    torch.all('PatchstreamLinear', [x, weight, bias], [flag(gelu), torch.factors]),
  ),
  PatchstreamLinearGrad: kernel<{ bias: boolean }>((torch, { dy, x, weight, saved }, { bias }) =>
    torch.all('PatchstreamLinearGrad', [dy, x, weight, saved], [flag(bias), torch.factors]),
  ),
  PatchstreamLayerNorm: kernel<{ eps: number }>((torch, { x, gain, bias }, { eps }) =>
    torch.all('PatchstreamLayerNorm', [x, gain, bias], [eps]),
  ),
  PatchstreamLayerNormGrad: kernel((torch, { dy, x, mean, rstd, gain }) =>
    torch.all('PatchstreamLayerNormGrad', [dy, x, mean, rstd, gain]),
  ),
  PatchstreamAttention: kernel<{ heads: number; scaled: boolean }>(
    (torch, { qkv, table, bucketIds }, { heads, scaled }) =>
      torch.all('PatchstreamAttention', [qkv, table, bucketIds], [heads, flag(scaled), torch.factors]),
  ),
  PatchstreamAttentionGrad: kernel<{ heads: number; scaled: boolean }>(
    (torch, { dy, qkv, y, saved, table, bucketIds }, { heads, scaled }) =>
      torch.all(
        'PatchstreamAttentionGrad',
        [dy, qkv, y, saved, table, bucketIds],
        [heads, flag(scaled), torch.factors],
      ),
  ),
  PatchstreamGatherTokens: kernel((torch, { x, ids }) => torch.all('PatchstreamGatherTokens', [x, ids])),
  PatchstreamGatherTokensGrad: kernel<{ n: number }>((torch, { dy, ids }, { n }) =>
    torch.all('PatchstreamGatherTokensGrad', [dy, ids], [n]),
  ),
  PatchstreamConv3x3: kernel((torch, { x, weight, bias }) =>
    torch.all('PatchstreamConv3x3', [x, weight, bias], [torch.factors]),
  ),
  PatchstreamConv3x3Grad: kernel<{ bias: boolean }>((torch, { dy, x, weight }, { bias }) =>
    torch.all('PatchstreamConv3x3Grad', [dy, x, weight], [flag(bias), torch.factors]),
  ),
  PatchstreamAccumulate: kernel((torch, lists) => torch.lists('PatchstreamAccumulate', listsOf(lists))),
  PatchstreamNorms: kernel((torch, lists) => torch.lists('PatchstreamNorms', listsOf(lists))),
  PatchstreamZero: kernel((torch, lists) => torch.lists('PatchstreamZero', listsOf(lists))),
  PatchstreamAdamW: kernel<AdamWUpdate>((torch, lists, { lr, beta1, beta2, eps, scale, step, decays }) =>
    torch.lists('PatchstreamAdamW', listsOf(lists), [lr, beta1, beta2, eps, scale, step, ...list(decays)]),
  ),
  PatchstreamLars: kernel<LarsUpdate>((torch, lists, { lr, momentum, trust, eps, scale, decays, adapts }) =>
    torch.lists('PatchstreamLars', listsOf(lists), [
      ...[lr, momentum, trust, eps, scale],
      ...list(decays),
      ...list(adapts.map(flag)),
    ]),
  ),
  PatchstreamLamb: kernel<LambUpdate>(
    (torch, lists, { lr, beta1, beta2, eps, scale, step, trustClip, decays, adapts }) =>
      torch.lists('PatchstreamLamb', listsOf(lists), [
        ...[lr, beta1, beta2, eps, scale, step, flag(trustClip)],
        ...list(decays),
        ...list(adapts.map(flag)),
      ]),
  ),
  PatchstreamLion: kernel<LionUpdate>((torch, lists, { lr, beta1, beta2, scale, decays }) =>
    torch.lists('PatchstreamLion', listsOf(lists), [lr, beta1, beta2, scale, ...list(decays)]),
  ),
  PatchstreamAverage: kernel<{ weight: number }>((torch, lists, { weight }) =>
    torch.lists('PatchstreamAverage', listsOf(lists), [weight]),
  ),
};
