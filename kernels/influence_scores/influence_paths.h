// The two CUDA kernels of influence_scores.h, of which influence_scores_cuda chooses. Sizes are
// valid and there are tokens.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/influence_scores/influence_scores.h"

namespace simba::kernels {

// Elements of AccumulateType<T> that params.partial must hold.
template <typename T>
std::int64_t influence_scratch_portable(const InfluenceScoresParams<T>& params);
template <typename T>
cudaError_t influence_scores_portable(const InfluenceScoresParams<T>& params, cudaStream_t stream);

// Takes N = 16, D a multiple of 4 in rows aligned to four elements and at most 2^24 elements apart,
// A and delta_bias aligned to 16 bytes, of any T but double, on devices of capability 8.0 or more.
template <typename T>
bool fast_path_takes(const InfluenceScoresParams<T>& params);
template <typename T>
std::int64_t influence_scratch_fast(const InfluenceScoresParams<T>& params);
template <typename T>
cudaError_t influence_scores_fast(const InfluenceScoresParams<T>& params, cudaStream_t stream);

}  // namespace simba::kernels
