// The two CUDA kernels of causal_conv1d.h, of which causal_conv1d_cuda chooses. Sizes are valid.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/causal_conv1d/causal_conv1d.h"

namespace simba::kernels {

template <typename T>
cudaError_t causal_conv1d_portable(const CausalConv1dParams<T>& params, cudaStream_t stream);

// 4 channels at a time, each input read once per run of positions. Takes 2 to 4 taps and D that are
// multiples of 4 in rows that lie where 4 elements can be moved in one access, of any T but double,
// where there is a position.
template <typename T>
bool fast_path_takes(const CausalConv1dParams<T>& params);
template <typename T>
cudaError_t causal_conv1d_fast(const CausalConv1dParams<T>& params, cudaStream_t stream);

}  // namespace simba::kernels
