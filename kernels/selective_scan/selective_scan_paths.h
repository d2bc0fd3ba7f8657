// The two CUDA kernels of selective_scan.h, of which selective_scan_cuda chooses. Sizes are valid
// and no grid is empty.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/selective_scan/selective_scan.h"

namespace simba::kernels {

template <typename T>
cudaError_t selective_scan_portable(const SelectiveScanParams<T>& params, cudaStream_t stream);

// scan_lone.cuh, scan_pairs.cuh and scan_sm90.cuh. Takes N = 8, 16, 32 and 64 of any T but double,
// on devices of capability 9.0 or more with 227 KiB of shared memory for a block (12.x has less)
// that this library has code for. Rows that are not aligned to 16 bytes, or a call without
// softplus, cost some of its speed.
template <typename T>
bool fast_path_takes(const SelectiveScanParams<T>& params);
template <typename T>
cudaError_t selective_scan_fast(const SelectiveScanParams<T>& params, cudaStream_t stream);

}  // namespace simba::kernels
