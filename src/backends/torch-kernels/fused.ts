import type { AdamWUpdate } from '../updates.ts';
import { flag, type KernelTable, kernel, list, listOf } from './kernel.ts';

/** The kernels that `../fused.ts` describes. */
export const fusedKernels: KernelTable = {
  PatchstreamGelu: kernel((torch, { x }) => torch.all('PatchstreamGelu', [x])),
  PatchstreamLinear: kernel<{ gelu: boolean }>((torch, { x, weight, bias }, { gelu }) =>
    torch.all('PatchstreamLinear', [x, weight, bias], [flag(gelu)]),
  ),
  PatchstreamLinearGrad: kernel<{ bias: boolean }>((torch, { dy, x, weight, saved }, { bias }) =>
    torch.all('PatchstreamLinearGrad', [dy, x, weight, saved], [flag(bias)]),
  ),
  PatchstreamLayerNorm: kernel<{ eps: number }>((torch, { x, gain, bias }, { eps }) =>
    torch.all('PatchstreamLayerNorm', [x, gain, bias], [eps]),
  ),
  PatchstreamLayerNormGrad: kernel((torch, { dy, x, mean, rstd, gain }) =>
    torch.all('PatchstreamLayerNormGrad', [dy, x, mean, rstd, gain]),
  ),
  PatchstreamAttention: kernel<{ heads: number; scaled: boolean }>(
    (torch, { qkv, table, bucketIds }, { heads, scaled }) =>
      torch.all('PatchstreamAttention', [qkv, table, bucketIds], [heads, flag(scaled)]),
  ),
  PatchstreamAttentionGrad: kernel<{ heads: number; scaled: boolean }>(
    (torch, { dy, qkv, y, saved, table, bucketIds }, { heads, scaled }) =>
      torch.all('PatchstreamAttentionGrad', [dy, qkv, y, saved, table, bucketIds], [heads, flag(scaled)]),
  ),
  PatchstreamGatherTokens: kernel((torch, { x, ids }) => torch.all('PatchstreamGatherTokens', [x, ids])),
  PatchstreamGatherTokensGrad: kernel<{ n: number }>((torch, { dy, ids }, { n }) =>
    torch.all('PatchstreamGatherTokensGrad', [dy, ids], [n]),
  ),
  PatchstreamConv3x3: kernel((torch, { x, weight, bias }) => torch.all('PatchstreamConv3x3', [x, weight, bias])),
  PatchstreamConv3x3Grad: kernel<{ bias: boolean }>((torch, { dy, x, weight }, { bias }) =>
    torch.all('PatchstreamConv3x3Grad', [dy, x, weight], [flag(bias)]),
  ),
  PatchstreamAccumulate: kernel((torch, tensors) => torch.all('PatchstreamAccumulate', listOf(tensors))),
  PatchstreamNorms: kernel((torch, tensors) => torch.all('PatchstreamNorms', listOf(tensors))),
  PatchstreamZero: kernel((torch, tensors) => torch.all('PatchstreamZero', listOf(tensors))),
  PatchstreamAdamW: kernel<AdamWUpdate>((torch, tensors, { lr, beta1, beta2, eps, scale, step, decays }) =>
    torch.all('PatchstreamAdamW', listOf(tensors), [lr, beta1, beta2, eps, scale, step, ...list(decays)]),
  ),
};
