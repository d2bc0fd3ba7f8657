// CUDA launcher of gemv.h: pointers of the params are device pointers. No allocation, no
// synchronisation; capturable in a CUDA graph; repeats bit for bit, and a row's results do not
// depend on the others.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/gemv/gemv.h"

namespace simba::kernels {

// Instantiated for float, BFloat16 and Float16. cudaErrorInvalidValue: a size out of range.
// Otherwise the error of the launch.
template <typename T>
cudaError_t gemv_cuda(const GemvParams<T>& params, cudaStream_t stream);

}  // namespace simba::kernels
