// The two CUDA kernels of causal_conv1d_backward.h, of which causal_conv1d_backward_cuda chooses.
// Sizes are valid. Each leaves shares of grad_weight (D, K) and then grad_bias (D) in scratch, as
// many as its function says: they are added up after it.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/causal_conv1d_backward/causal_conv1d_backward.h"

namespace simba::kernels {

template <typename T>
std::int64_t conv_backward_shares_portable(const CausalConv1dBackwardParams<T>& params);
template <typename T>
cudaError_t conv_backward_portable(const CausalConv1dBackwardParams<T>& params,
                                   cudaStream_t stream);

// Several neighbouring channels at a time, each input read once per run of positions. Takes 2 to 4
// taps and D that are multiples of 8 bytes (float: 16) in rows aligned to them, weights aligned to
// 16 bytes, of any T but double, where there is a position.
template <typename T>
bool fast_path_takes(const CausalConv1dBackwardParams<T>& params);
template <typename T>
std::int64_t conv_backward_shares_fast(const CausalConv1dBackwardParams<T>& params);
template <typename T>
cudaError_t conv_backward_fast(const CausalConv1dBackwardParams<T>& params, cudaStream_t stream);

}  // namespace simba::kernels
