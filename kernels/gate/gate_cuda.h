// CUDA launcher of gate.h: pointers of the params are device pointers. No allocation, no
// synchronisation; capturable in a CUDA graph; repeats bit for bit.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/gate/gate.h"

namespace simba::kernels {

// Instantiated for float, double, BFloat16 and Float16. cudaErrorInvalidValue: a negative size.
// Otherwise the error of the launch. Indices are not checked.
template <typename T>
cudaError_t gate_cuda(const GateParams<T>& params, cudaStream_t stream);

}  // namespace simba::kernels
