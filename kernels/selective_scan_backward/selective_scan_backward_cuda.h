// CUDA launcher of selective_scan_backward.h: pointers of the params are device pointers. No
// allocation, no synchronisation; capturable in a CUDA graph; repeats bit for bit.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/selective_scan_backward/selective_scan_backward.h"

namespace simba::kernels {

// Elements of Acc that params.scratch must have, 16-byte aligned, for the kernels that the launcher
// will choose.
template <typename T>
std::int64_t selective_scan_backward_scratch_cuda(const SelectiveScanBackwardParams<T>& params);

// Instantiated for float, double, BFloat16 and Float16. cudaErrorInvalidValue: a negative size, or
// too many blocks for one grid. Otherwise the error of the launches. The sequences of a packed row
// must cover it.
template <typename T>
cudaError_t selective_scan_backward_cuda(const SelectiveScanBackwardParams<T>& params,
                                         cudaStream_t stream);

}  // namespace simba::kernels
