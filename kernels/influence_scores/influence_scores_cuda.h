// CUDA launcher of influence_scores.h: pointers of the params are device pointers. No allocation,
// no synchronisation; capturable in a CUDA graph; repeats bit for bit.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/influence_scores/influence_scores.h"

namespace simba::kernels {

// Elements of AccumulateType<T> that params.partial must hold; params.partial itself is not read.
template <typename T>
std::int64_t influence_scores_scratch_cuda(const InfluenceScoresParams<T>& params);

// Both passes. Instantiated for float, double, BFloat16 and Float16. cudaErrorInvalidValue: a
// negative size, or too many blocks for one grid. Otherwise the error of the launch. The sequences
// of a packed row must cover it.
template <typename T>
cudaError_t influence_scores_cuda(const InfluenceScoresParams<T>& params, cudaStream_t stream);

}  // namespace simba::kernels
