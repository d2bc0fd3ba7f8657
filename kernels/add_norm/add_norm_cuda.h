// CUDA launcher of add_norm.h: pointers of the params are device pointers. No allocation, no
// synchronisation; capturable in a CUDA graph; repeats bit for bit.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/add_norm/add_norm.h"

namespace simba::kernels {

// Instantiated for (T, R) = (float, float), (double, double), and (BFloat16 or Float16, T or
// float). cudaErrorInvalidValue: a negative size. Otherwise the error of the launch. Indices are
// not checked.
template <typename T, typename R>
cudaError_t add_norm_cuda(const AddNormParams<T, R>& params, cudaStream_t stream);

}  // namespace simba::kernels
