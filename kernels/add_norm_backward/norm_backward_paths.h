// The two CUDA kernels of add_norm_backward.h, of which add_norm_backward_cuda chooses. Either
// takes the source rows in runs, a run per block, and leaves a run's shares of grad_weight and
// grad_bias in scratch (runs, 2, D). Sizes are valid and none is zero.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/add_norm_backward/add_norm_backward.h"

namespace simba::kernels {

template <typename T, typename R>
cudaError_t norm_backward_portable(const AddNormBackwardParams<T, R>& params, std::int64_t run,
                                   std::int64_t runs, cudaStream_t stream);

// A row in registers. Takes D up to 8192 in packets of 16 bytes of R, whose number of elements
// divides D and the strides of every tensor; any T but double.
template <typename T, typename R>
bool fast_path_takes(const AddNormBackwardParams<T, R>& params);
template <typename T, typename R>
cudaError_t norm_backward_fast(const AddNormBackwardParams<T, R>& params, std::int64_t run,
                               std::int64_t runs, cudaStream_t stream);

}  // namespace simba::kernels
