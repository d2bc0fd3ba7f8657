// The two CUDA kernels of select_tokens.h, of which select_tokens_cuda chooses. Sizes and keeps are
// valid and there is a sequence.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/select_tokens/select_tokens.h"

namespace simba::kernels {

template <typename Acc>
cudaError_t select_tokens_portable(const SelectTokensParams<Acc>& params,
                                   std::int32_t* kept_cu_seqlens, cudaStream_t stream);

// Scores read once, into registers. Takes an L of up to 131073, or 32769 on devices of less than
// capability 9.0.
bool fast_path_takes(const SelectTokensParams<float>& params);
cudaError_t select_tokens_fast(const SelectTokensParams<float>& params,
                               std::int32_t* kept_cu_seqlens, cudaStream_t stream);

}  // namespace simba::kernels
