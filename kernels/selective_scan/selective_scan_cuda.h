// CUDA launcher of selective_scan.h: pointers of the params are device pointers. No allocation, no
// synchronisation; capturable in a CUDA graph; repeats bit for bit.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/selective_scan/selective_scan.h"

namespace simba::kernels {

// Instantiated for float, double, BFloat16 and Float16. cudaErrorInvalidValue: a negative size, or
// more than 2^31 - 1 blocks of 8 channels over all sequences. Otherwise the error of the launch:
// cudaErrorNoKernelImageForDevice where compiled_architectures() has no code for the device.
template <typename T>
cudaError_t selective_scan_cuda(const SelectiveScanParams<T>& params, cudaStream_t stream);

}  // namespace simba::kernels
