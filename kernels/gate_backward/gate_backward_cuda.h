// CUDA launcher of gate_backward.h: pointers of the params are device pointers. No allocation, no
// synchronisation; capturable in a CUDA graph; repeats bit for bit.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/gate_backward/gate_backward.h"

namespace simba::kernels {

// Instantiated for float, double, BFloat16 and Float16. cudaErrorInvalidValue: a negative size.
// Otherwise the error of the launch.
template <typename T>
cudaError_t gate_backward_cuda(const GateBackwardParams<T>& params, cudaStream_t stream);

}  // namespace simba::kernels
