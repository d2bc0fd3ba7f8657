// The last pass of the influence scores on a GPU: a token's partial reductions over blocks of
// channels become its score, one warp per token.
#pragma once

#include "kernels/cuda/launch.h"
#include "kernels/cuda/warp.cuh"
#include "kernels/influence_scores/influence_scores.h"

namespace simba::kernels {

SIMBA_HOST_DEVICE inline bool is_maximum(InfluenceReduction reduction) {
  return reduction == InfluenceReduction::kMax || reduction == InfluenceReduction::kSignedMax;
}

inline constexpr int kReduceWarps = 8;

// partial: (B, L, channel_blocks); kL2: of the squares.
template <typename T>
__global__ void __launch_bounds__(kReduceWarps* kWarpSize)
    influence_reduce_kernel(InfluenceScoresParams<T> params, std::int64_t tokens,
                            std::int64_t channel_blocks) {
  using Acc = AccumulateType<T>;
  const std::int64_t token = std::int64_t(blockIdx.x) * kReduceWarps + threadIdx.x / kWarpSize;
  const int lane = threadIdx.x % kWarpSize;
  if (token >= tokens) return;

  const Acc* partial = params.partial + token * channel_blocks;
  Acc largest = -infinity<Acc>();
  for (std::int64_t i = lane; i < channel_blocks; i += kWarpSize) {
    largest = max_or_nan(largest, partial[i]);
  }
  largest = warp_max_or_nan(largest);
  Acc score = largest;
  if (!is_maximum(params.reduction)) {
    const Acc factor = factored_exponent(largest);
    Acc sum = 0;
    for (std::int64_t i = lane; i < channel_blocks; i += kWarpSize) {
      sum += exp2(partial[i] - factor);
    }
    score = factor + log2(warp_sum(sum));
    if (params.reduction == InfluenceReduction::kL2) score *= Acc(0.5);
  }
  if (lane == 0) params.scores[token] = score;
}

// The number of tokens must fit a grid.
template <typename T>
cudaError_t reduce_influence(const InfluenceScoresParams<T>& params, std::int64_t channel_blocks,
                             cudaStream_t stream) {
  const std::int64_t tokens = params.batch * params.sequences.length;
  const auto blocks = static_cast<unsigned>(ceil_div(tokens, std::int64_t{kReduceWarps}));
  influence_reduce_kernel<T>
      <<<blocks, kReduceWarps * kWarpSize, 0, stream>>>(params, tokens, channel_blocks);
  return cudaGetLastError();
}

}  // namespace simba::kernels
