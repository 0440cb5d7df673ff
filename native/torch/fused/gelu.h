// The arithmetic of gelu on W floats, shared by its own loop and by that of `linear`.
#pragma once

#include "fused/simd.h"

namespace patchstream {

// y = x·Φ(x) and slope = Φ(x) + x·φ(x). Φ by exp(−x²/2) times a polynomial for erfcx in 1 / (1 + |x| / (2√2)), of relative error 4e-8,
// made by a least-maximum fit in float64; so value and slope share the exponential, and the negative tail keeps its digits.
template <int W>
PATCHSTREAM_INLINE void geluOf(Floats<W> x, Floats<W>& y, Floats<W>& slope) {
  using F = Floats<W>;
  const F size = x < 0 ? -x : x;
  const F t = 1.0f / (size * 0.35355339059327373f + 1.0f);
  F p = t * -5.8889088163e-2f + 2.8369457337e-1f;
  p = p * t - 4.8537004951e-1f;
  p = p * t + 2.7596422818e-1f;
  p = p * t - 2.5169057315e-2f;
  p = p * t + 2.0206648178e-1f;
  p = p * t + 2.4326181171e-1f;
  p = p * t + 2.8235337505e-1f;
  p = p * t + 2.8208768274e-1f;
  const F bell = expOf<W>(x * x * -0.5f);
  const F tail = bell * p * t * 0.5f;
  const F share = x < 0 ? tail : 1.0f - tail;
  y = x * share;
  // Where the bell is gone, x·bell would still be 0·∞ for an infinite x.
  const F rise = x * bell * 0.3989422804014327f;
  slope = share + (bell > 0 ? rise : bell);
}

}  // namespace patchstream
