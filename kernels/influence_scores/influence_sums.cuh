// Sums over channels, in the fast influence kernels: a warp walks a chunk backwards in t for 64
// channels, a pair per lane, and sums each token's terms over them.
//
// Factored by the decay of the slowest state that C_T does not silence, the sum over states is of
// C_T B_t 2^((a - slowest) R), whose powers are at most 1. R grows with the distance to the last
// token, and soon all states but the slowest few are below 2^-40: those are left out. Where C_T B_t
// of the others are so small that they would count, and where numbers leave the ordinary range,
// term_of_any takes the terms one by one.
#pragma once

#include "kernels/influence_scores/influence_terms.cuh"
#include "kernels/influence_scores/influence_totals.cuh"

namespace simba::kernels::influence {

inline constexpr int kPair = 2;
inline constexpr int kSumChannels = kPair * kWarpSize;  // of a warp
inline constexpr int kSumWarps = 8;
inline constexpr int kSumThreads = kSumWarps * kWarpSize;
inline constexpr int kStep = 4;           // states that are summed together
inline constexpr float kLeftOut = -40;    // log2 of the powers that are not summed
inline constexpr float kNegligible = 27;  // bits below the summed terms

// A channel's states over a chunk.
struct ChannelStates {
  float gaps[kStates];  // A log2(e) less the slowest
  float slowest;

  // Returns log2 of the largest power that is left out, and takes the others into `live`.
  __device__ float load(const float* A, unsigned audible, float slowest_state, float later,
                        unsigned& live) {
    slowest = slowest_state;
    float left_out = -infinity<float>();
#pragma unroll
    for (int n = 0; n < kStates; n += kStep) {
      float a[kStep];
      load_channels(A + n, a);
#pragma unroll
      for (int i = 0; i < kStep; ++i) {
        const bool heard = audible >> (n + i) & 1;
        gaps[n + i] = heard ? a[i] * kLog2E<float> - slowest : 0;
        const float exponent = gaps[n + i] * later;
        if (heard && exponent <= kLeftOut) left_out = fmaxf(left_out, exponent);
        if (heard && !(exponent <= kLeftOut)) live |= 1u << (n + i);  // NaN is summed
      }
    }
    return left_out;
  }
};

// log2 of the sum over lanes and pairs of 2^value.
__device__ inline float log2_sum_of_pairs(const float (&values)[kPair]) {
  const float factor = factored_exponent(warp_max_or_nan(max_or_nan(values[0], values[1])));
  return factor + log2f(warp_sum(fast_exp2(values[0] - factor) + fast_exp2(values[1] - factor)));
}

// partial: (B, L, slabs), of squares for kL2.
template <typename T>
__global__ void __launch_bounds__(kSumThreads, 2)
    influence_sums_kernel(const __grid_constant__ InfluenceScoresParams<T> params, Totals totals,
                          unsigned slabs, float* partial) {
  __shared__ Couplings couplings;
  const int lane = threadIdx.x % kWarpSize;
  const unsigned groups = (slabs + kSumWarps - 1) / kSumWarps;
  const Chunk chunk = find_chunk(params.sequences, blockIdx.x / groups);
  if (!chunk.exists()) return;
  couplings.stage(params, chunk);
  wait_for_kernel_before();
  __syncthreads();
  const unsigned slab = blockIdx.x % groups * kSumWarps + threadIdx.x / kWarpSize;
  if (slab >= slabs) return;

  const int tokens = chunk.tokens();
  const std::int64_t batch = params.sequences.batch(chunk.sequence);
  const std::int64_t own_channel = std::int64_t{slab} * kSumChannels + lane * kPair;
  const bool exists = own_channel < params.channels;
  const std::int64_t channel = exists ? own_channel : 0;
  const T* C = params.C.row(batch, chunk.sequence_end - 1);
  const unsigned audible = __ballot_sync(kAllLanes, to_accumulate(C[lane % kStates]) != 0);

  float later[kPair], slowest[kPair], bias[kPair] = {};
  load_channels(totals.later + chunk.index * params.channels + channel, later);
  load_channels(totals.slowest + chunk.sequence * params.channels + channel, slowest);
  if (params.delta_bias) load_channels(params.delta_bias + channel, bias);
  ChannelStates states[kPair];
  unsigned live = 0;
  float left_out = -infinity<float>();
#pragma unroll
  for (int c = 0; c < kPair; ++c) {
    const float* A = params.A + (channel + c) * kStates;
    left_out = fmaxf(left_out, states[c].load(A, audible, slowest[c], later[c], live));
  }
  live = warp_or(live);
  // The share of sum |C_T B_t| that the summed terms must reach.
  const float negligible = fast_exp2(kNegligible + from_ordered(warp_max(ordered(left_out))));

  const bool full = params.decay == InfluenceDecay::kFull;
  const bool none = params.decay == InfluenceDecay::kNone;
  const T* delta_row = params.delta.row(batch, chunk.begin) + channel;
  const T* u_row = params.u.row(batch, chunk.begin) + channel;
  DecaySum decay[kPair];
  float own = 0;  // of the token that the lane writes
  Packet<T, kPair> next_delta =
      load_packet<kPair>(delta_row + (tokens - 1) * params.delta.row_stride);
  Packet<T, kPair> next_u = load_packet<kPair>(u_row + (tokens - 1) * params.u.row_stride);
  for (int t = tokens - 1; t >= 0; --t) {
    float delta[kPair], u[kPair], R[kPair];
    unpack(next_delta, delta);
    unpack(next_u, u);
    if (t > 0) {
      next_delta = load_packet<kPair>(delta_row + (t - 1) * params.delta.row_stride);
      next_u = load_packet<kPair>(u_row + (t - 1) * params.u.row_stride);
    }
#pragma unroll
    for (int c = 0; c < kPair; ++c) R[c] = none ? 0 : later[c] + decay[c].value();
    float sum[kPair] = {}, size[kPair] = {};
#pragma unroll
    for (int n = 0; n < kStates; n += kStep) {
      if (!(live >> n & (1u << kStep) - 1)) continue;
      float products[kStep];
      load_channels(&couplings.products[t][n], products);
#pragma unroll
      for (int i = 0; i < kStep; ++i) {
#pragma unroll
        for (int c = 0; c < kPair; ++c) {
          const float power = fast_exp2(states[c].gaps[n + i] * R[c]);
          sum[c] = fmaf(products[i], power, sum[c]);
          size[c] = fmaf(fabsf(products[i]), power, size[c]);
        }
      }
    }
    const float total = couplings.size[t];
    const float needed = fmaxf(negligible * total, 0x1p-58f);
    float values[kPair];
#pragma unroll
    for (int c = 0; c < kPair; ++c) {
      const float dt_u = fast_softplus(delta[c] + bias[c]) * fabsf(u[c]);
      values[c] = fmaf(slowest[c], R[c], fast_log2(dt_u * fabsf(sum[c])));
      if (exists && !(Couplings::is_ordinary(total) && size[c] >= needed &&
                      is_ordinary_term(size[c], dt_u, u[c]))) {
        values[c] =
            term_of_any(params.A + (channel + c) * kStates, params.B.row(batch, chunk.begin + t), C,
                        R[c], delta[c] + bias[c], u[c])
                .value;
      }
      if (params.reduction == InfluenceReduction::kL2) values[c] *= 2;
      if (!exists) values[c] = -infinity<float>();
      decay[c].add(full ? delta[c] + bias[c] : delta[c]);
    }
    const float score = log2_sum_of_pairs(values);
    if (lane == t) own = score;
  }
  if (lane < tokens) {
    partial[(flat_begin(params.sequences, chunk) + lane) * slabs + slab] = own;
  }
}

// Before reduce_influence. partial: (B, L, slabs).
template <typename T>
cudaError_t find_sums(const InfluenceScoresParams<T>& params, const Totals& totals, float* partial,
                      std::int64_t slabs, cudaStream_t stream) {
  const auto blocks = static_cast<unsigned>(chunk_count(params.sequences) *
                                            ceil_div(slabs, std::int64_t{kSumWarps}));
  return launch_dependent(influence_sums_kernel<T>, dim3(blocks), kSumThreads, 0, stream, params,
                          totals, static_cast<unsigned>(slabs), partial);
}

}  // namespace simba::kernels::influence
