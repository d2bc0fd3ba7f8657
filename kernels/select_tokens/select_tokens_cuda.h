// CUDA launcher of select_tokens.h: pointers of the params are device pointers but for
// keep_offsets, which stays in host memory (S + 1 values; unpacked s * keep). It is read before the
// launcher returns and travels in the kernels' parameters, so no copy to the device is needed, none
// has to outlive the call, and a captured CUDA graph holds the values. No allocation, no
// synchronisation; repeats bit for bit.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/select_tokens/select_tokens.h"

namespace simba::kernels {

// kept_cu_seqlens (S + 1, int32, device memory, optional) receives keep_offsets, the cu_seqlens of
// the kept tokens. Instantiated for float and double. cudaErrorInvalidValue: a negative size,
// an L of 2^31 or more, keep_offsets that descend, or (unpacked) a keep above L. Otherwise the
// error of the launch. Only the device knows the lengths of packed sequences: a keep above its
// sequence's length repeats the last position.
template <typename Acc>
cudaError_t select_tokens_cuda(const SelectTokensParams<Acc>& params, std::int32_t* kept_cu_seqlens,
                               cudaStream_t stream);

}  // namespace simba::kernels
