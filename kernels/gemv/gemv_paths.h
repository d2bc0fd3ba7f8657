// The two CUDA kernels of gemv.h, of which gemv_cuda chooses. Sizes are valid and there is
// something to do.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/gemv/gemv.h"

namespace simba::kernels {

template <typename T>
cudaError_t gemv_portable(const GemvParams<T>& params, cudaStream_t stream);

// The weight streams through registers. Takes x and weight in packets of 16 bytes, whose number of
// elements divides K, and K up to 1280 such packets if 4 rows of x fit the device's shared memory,
// however many S there are: a row's results do not depend on the others.
template <typename T>
bool fast_path_takes(const GemvParams<T>& params);
template <typename T>
cudaError_t gemv_fast(const GemvParams<T>& params, cudaStream_t stream);

}  // namespace simba::kernels
