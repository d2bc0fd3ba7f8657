// CUDA launcher of add_norm_backward.h: pointers of the params are device pointers. No allocation,
// no synchronisation; capturable in a CUDA graph; repeats bit for bit.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/add_norm_backward/add_norm_backward.h"

namespace simba::kernels {

// Elements of Acc that params.scratch must have, 16-byte aligned.
template <typename T, typename R>
std::int64_t add_norm_backward_scratch_cuda(const AddNormBackwardParams<T, R>& params);

// Instantiated for (T, R) = (float, float), (double, double), and (BFloat16 or Float16, T or
// float). cudaErrorInvalidValue: a negative size. Otherwise the error of the launches.
template <typename T, typename R>
cudaError_t add_norm_backward_cuda(const AddNormBackwardParams<T, R>& params, cudaStream_t stream);

}  // namespace simba::kernels
