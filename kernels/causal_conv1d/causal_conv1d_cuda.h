// CUDA launcher of causal_conv1d.h: pointers of the params are device pointers. No allocation, no
// synchronisation; capturable in a CUDA graph; repeats bit for bit.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/causal_conv1d/causal_conv1d.h"

namespace simba::kernels {

// Instantiated for float, double, BFloat16 and Float16. cudaErrorInvalidValue: a negative size, a
// width below 1, or too many blocks for one grid. Otherwise the error of the launch. The sequences
// of a packed row must cover it.
template <typename T>
cudaError_t causal_conv1d_cuda(const CausalConv1dParams<T>& params, cudaStream_t stream);

}  // namespace simba::kernels
