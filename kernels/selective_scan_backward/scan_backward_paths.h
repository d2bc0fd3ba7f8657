// The two sets of CUDA kernels of selective_scan_backward.h, of which selective_scan_backward_cuda
// chooses. Sizes are valid and none is zero.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/selective_scan_backward/selective_scan_backward.h"

namespace simba::kernels {

template <typename T>
std::int64_t scan_backward_scratch_portable(const SelectiveScanBackwardParams<T>& params);
template <typename T>
cudaError_t scan_backward_portable(const SelectiveScanBackwardParams<T>& params,
                                   cudaStream_t stream);

// Chunks of time in parallel. Takes N = 16 and D that are multiples of 4 in rows aligned to four
// elements, of any T but double, where the device allows its blocks' shared memory (sm_80 and
// later).
template <typename T>
bool fast_path_takes(const SelectiveScanBackwardParams<T>& params);
template <typename T>
std::int64_t scan_backward_scratch_fast(const SelectiveScanBackwardParams<T>& params);
template <typename T>
cudaError_t scan_backward_fast(const SelectiveScanBackwardParams<T>& params, cudaStream_t stream);

}  // namespace simba::kernels
