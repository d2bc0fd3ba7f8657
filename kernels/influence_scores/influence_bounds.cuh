// Upper bounds of log2|dy| in the fast influence kernels, far beyond their own rounding, at a few
// instructions each. With g_t = log2 of the sum over n of |C_T[n] B_t[n]| 2^(gaps[n] R), or more:
//   log2|dy_t| <= slowest R_t + log2 dt_t + log2|u_t| + g_t.
#pragma once

#include "kernels/cuda/fast_math.cuh"
#include "kernels/influence_scores/influence_chunks.cuh"
#include "kernels/influence_scores/influence_totals.cuh"

namespace simba::kernels::influence {

inline constexpr float kSlack = 0x1p-5f;           // bits
inline constexpr float kRelativeSlack = 0x1p-16f;  // of each term of a bound

// `decay`, a power's logarithm, never lowered.
__device__ inline float raised(float decay) { return fmaf(fabsf(decay), kRelativeSlack, decay); }

// Channels of which a bound would say nothing: not finite, or growing towards older tokens. Every
// token of theirs must be computed.
__device__ inline bool is_boundless(float slowest, float later, float peak, float bias) {
  return !(slowest <= 0 && slowest > -1e4f && is_finite(slowest * later) &&
           peak < infinity<float>() && fabsf(bias) < 1e4f);
}

// Of log2|dy| - g_t over a whole chunk.
__device__ inline float chunk_bound(float slowest, float later, float peak, float bias) {
  if (is_boundless(slowest, later, peak, bias)) return infinity<float>();
  return raised(slowest * later) + fmaf(fabsf(peak), kRelativeSlack, peak) + kSlack;
}

// A channel while its chunk's tokens are walked backwards.
template <InfluenceDecay kDecay>
class ChannelBound {
 public:
  // `exists` false: the bounds are -inf.
  __device__ ChannelBound(bool exists, float slowest, float later, float peak, float bias)
      : slope_(kDecay == InfluenceDecay::kNone ? 0 : slowest * kLn2 * (1 - kRelativeSlack)),
        decay_bias_(kDecay == InfluenceDecay::kFull ? bias * kLog2E<float> : 0) {
    float base = raised(slowest * later) + kSlack;
    if (is_boundless(slowest, later, peak, bias)) base = infinity<float>(), slope_ = 0;
    if (!exists) base = -infinity<float>(), slope_ = 0;
    steep_at_0_ = fmaf(bias, SoftplusLines::kSteep, base - kFixedPointOfOne);
    tangent_at_0_ =
        fmaf(bias, SoftplusLines::kTangent, base - kFixedPointOfOne + SoftplusLines::kTangentAt0);
  }

  // Of the token that comes next, and walks on to the token before.
  __device__ float pass(float delta, float u) {
    float bound = fminf(fmaf(delta, SoftplusLines::kSteep, steep_at_0_),
                        fmaf(delta, SoftplusLines::kTangent, tangent_at_0_));
    if constexpr (kDecay != InfluenceDecay::kNone) {
      bound = fmaf(slope_, fast_log2(growth_), bound);
      const float power = fminf(fmaf(delta, kLog2E<float>, decay_bias_), kLargestPower);
      growth_ = fmaf(growth_, fast_exp2(power), growth_);
    }
    return fmaf(fixed_point_log2(u), 0x1p-15f, bound);
  }

  __device__ bool is_boundless_channel() const { return steep_at_0_ == infinity<float>(); }

 private:
  static constexpr float kLn2 = 0.69314718f;
  static constexpr float kLargestPower = 8;  // the growth of 15 tokens stays below 2^121

  float growth_ = 1;  // the product of 1 + e^x, so that its logarithm is at most R's
  float slope_;       // of the bound, by log2 of growth
  float decay_bias_, steep_at_0_, tangent_at_0_;
};

}  // namespace simba::kernels::influence
