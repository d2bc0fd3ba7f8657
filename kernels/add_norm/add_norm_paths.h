// The two CUDA kernels of add_norm.h, of which add_norm_cuda chooses. Sizes are valid and none is
// zero.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/add_norm/add_norm.h"

namespace simba::kernels {

template <typename T, typename R>
cudaError_t add_norm_portable(const AddNormParams<T, R>& params, cudaStream_t stream);

// One pass, a row in registers. Takes D up to 8192 in packets of 16 bytes of R, whose number of
// elements divides D and the strides of every tensor; any T but double.
template <typename T, typename R>
bool fast_path_takes(const AddNormParams<T, R>& params);
template <typename T, typename R>
cudaError_t add_norm_fast(const AddNormParams<T, R>& params, cudaStream_t stream);

}  // namespace simba::kernels
