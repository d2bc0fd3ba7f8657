// log2|dy| of one token and channel, whatever its numbers: see influence_scores.h.
#pragma once

#include "kernels/cuda/fast_math.cuh"
#include "kernels/influence_scores/influence_chunks.cuh"
#include "kernels/influence_scores/influence_decay.cuh"

namespace simba::kernels::influence {

// What the rows of B and C give for a chunk's tokens.
struct Couplings {
  static constexpr int kRow = kStates + 4;  // rows of 16 bytes' alignment in different banks

  alignas(16) float products[kChunk][kRow];  // C_T B_t
  float size[kChunk];                        // sum |C_T B_t|

  // By 256 threads, one for each token and state; tokens that do not exist have products of 0.
  template <typename T>
  __device__ void stage(const InfluenceScoresParams<T>& params, const Chunk& chunk) {
    static_assert(kStates == 16 && kChunk == 16);
    const int t = threadIdx.x / kStates, n = threadIdx.x % kStates;
    const std::int64_t batch = params.sequences.batch(chunk.sequence);
    float product = 0;
    if (t < chunk.tokens()) {
      const float C = to_accumulate(params.C.row(batch, chunk.sequence_end - 1)[n]);
      const float B = to_accumulate(params.B.row(batch, chunk.begin + t)[n]);
      product = C * B;
      if (product == 0 && C != 0 && B != 0) product = 0x1p-149f;  // audible, and not ordinary
    }
    products[t][n] = product;
    const float sum = sum_of_states(fabsf(product));
    if (n == 0) size[t] = sum;
  }

  // The sum over a token's 16 threads.
  __device__ static float sum_of_states(float value) {
#pragma unroll
    for (int offset = kStates / 2; offset > 0; offset /= 2) {
      value += __shfl_xor_sync(kAllLanes, value, offset);
    }
    return value;
  }

  // Of a token whose products stay in the ordinary range of floats.
  __device__ static bool is_ordinary(float size) { return size >= 0x1p-40f && size <= 0x1p40f; }
};

struct Term {
  float value;  // log2|dy|
  bool negative;
};

// The largest of the 16 terms is factored out. delta: with bias. A: of the channel.
template <typename T>
__device__ __noinline__ Term term_of_any(const float* A, const T* B, const T* C, float R,
                                         float delta, float u) {
  const auto exponent = [&](int n) {
    return fmaf(A[n] * kLog2E<float>, R,
                log2f(fabsf(to_accumulate(C[n]))) + log2f(fabsf(to_accumulate(B[n]))));
  };
  float largest = -infinity<float>();
  for (int n = 0; n < kStates; ++n) largest = max_or_nan(largest, exponent(n));
  const float factor = factored_exponent(largest);
  float sum = 0;
  for (int n = 0; n < kStates; ++n) {
    const float power = exp2f(exponent(n) - factor);
    sum += (to_accumulate(C[n]) < 0) != (to_accumulate(B[n]) < 0) ? -power : power;
  }
  const float value = fast_log2_softplus(delta) + log2f(fabsf(u)) + factor + log2f(fabsf(sum));
  return {value, (u < 0) != (sum < 0)};
}

// Whether dt |u| and the sum of |C_T B_t| 2^(A R) of a token of ordinary couplings, the largest
// power factored out, are so large that neither rounding nor underflow took anything.
__device__ inline bool is_ordinary_term(float size, float dt_u, float u) {
  return size >= 0x1p-58f && ((dt_u >= 0x1p-50f && dt_u <= 0x1p50f) || (u == 0 && dt_u == 0));
}

// R of token t of the chunk: from `later`, over the chunk's tokens after t.
template <typename T>
__device__ float suffix_of(const InfluenceScoresParams<T>& params, const Chunk& chunk, int t,
                           std::int64_t channel, float bias, float later) {
  if (params.decay == InfluenceDecay::kNone) return 0;
  const float decay_bias = params.decay == InfluenceDecay::kFull ? bias : 0;
  const std::int64_t batch = params.sequences.batch(chunk.sequence);
  const T* delta = params.delta.row(batch, chunk.begin) + channel;
  DecaySum sum;
#pragma unroll
  for (int k = kChunk - 1; k > 0; --k) {
    if (k > t && k < chunk.tokens()) {
      sum.add(to_accumulate(delta[k * params.delta.row_stride]) + decay_bias);
    }
  }
  return __fadd_rn(later, sum.value());
}

// Token t of the chunk in a channel. later: R at the chunk's end.
template <typename T>
__device__ Term term_of(const InfluenceScoresParams<T>& params, const Chunk& chunk,
                        const Couplings& couplings, int t, std::int64_t channel, float later) {
  const std::int64_t batch = params.sequences.batch(chunk.sequence);
  const std::int64_t position = chunk.begin + t;
  const float* A = params.A + channel * kStates;
  const float u = to_accumulate(params.u.row(batch, position)[channel]);
  const float bias = params.delta_bias ? params.delta_bias[channel] : 0;
  const float delta = to_accumulate(params.delta.row(batch, position)[channel]) + bias;
  const float R = suffix_of(params, chunk, t, channel, bias, later);

  float a[kStates];
#pragma unroll
  for (int n = 0; n < kStates; n += 4) {
    float four[4];
    unpack(load_packet<4>(A + n), four);
#pragma unroll
    for (int i = 0; i < 4; ++i) a[n + i] = four[i];
  }
  const float* products = couplings.products[t];
  const float scaled = __fmul_rn(R, kLog2E<float>);
  float exponents[kStates];
  float factor = -infinity<float>();
#pragma unroll
  for (int n = 0; n < kStates; ++n) {
    exponents[n] = __fmul_rn(a[n], scaled);
    if (products[n] != 0) factor = fmaxf(factor, exponents[n]);
  }
  float sum = 0, size = 0;
#pragma unroll
  for (int n = 0; n < kStates; ++n) {
    const float power = fast_exp2(__fadd_rn(exponents[n], -factor));
    sum = fmaf(products[n], power, sum);
    size = fmaf(fabsf(products[n]), power, size);
  }
  const float dt_u = __fmul_rn(fast_softplus(delta), fabsf(u));
  if (!Couplings::is_ordinary(couplings.size[t]) || !is_ordinary_term(size, dt_u, u)) {
    return term_of_any(A, params.B.row(batch, position),
                       params.C.row(batch, chunk.sequence_end - 1), R, delta, u);
  }
  return {__fadd_rn(factor, fast_log2(__fmul_rn(dt_u, fabsf(sum)))), (u < 0) != (sum < 0)};
}

// The same as a maximum takes it: -inf for a negative one with kSignedMax.
template <typename T>
__device__ float maximand(const InfluenceScoresParams<T>& params, const Term& term) {
  const bool dropped = params.reduction == InfluenceReduction::kSignedMax && term.negative;
  return dropped && term.value == term.value ? -infinity<float>() : term.value;
}

}  // namespace simba::kernels::influence
