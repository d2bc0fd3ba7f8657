// CUDA launcher of selective_state_update.h: pointers of the params are device pointers. No
// allocation, no synchronisation; capturable in a CUDA graph; repeats bit for bit.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/selective_state_update/selective_state_update.h"

namespace simba::kernels {

// Instantiated for float, double, BFloat16 and Float16. cudaErrorInvalidValue: a negative size, or
// too many blocks for one grid. Otherwise the error of the launch.
template <typename T>
cudaError_t selective_state_update_cuda(const SelectiveStateUpdateParams<T>& params,
                                        cudaStream_t stream);

}  // namespace simba::kernels
