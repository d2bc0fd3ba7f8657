#include "kernels/select_tokens/select_tokens_cuda.h"

#include <type_traits>

#include "kernels/cuda/path.h"
#include "kernels/select_tokens/select_tokens_paths.h"

namespace simba::kernels {
namespace {

constexpr std::int64_t kMaxLength = 0x7fffffff;  // tokens are counted in int

template <typename Acc>
bool is_valid(const SelectTokensParams<Acc>& params) {
  const Sequences& sequences = params.sequences;
  if (sequences.count < 0 || sequences.length < 0 || sequences.length > kMaxLength) return false;
  for (std::int64_t s = 0; s < sequences.count; ++s) {
    const std::int64_t keep = params.keep_offsets[s + 1] - params.keep_offsets[s];
    if (keep < 0 || (!sequences.cu_seqlens && keep > sequences.length)) return false;
  }
  return true;
}

}  // namespace

template <typename Acc>
cudaError_t select_tokens_cuda(const SelectTokensParams<Acc>& params, std::int32_t* kept_cu_seqlens,
                               cudaStream_t stream) {
  if (!is_valid(params)) return cudaErrorInvalidValue;
  if (params.sequences.count == 0) {
    if (!kept_cu_seqlens) return cudaSuccess;
    return cudaMemsetAsync(kept_cu_seqlens, 0, sizeof(*kept_cu_seqlens), stream);
  }
  if constexpr (std::is_same_v<Acc, float>) {
    if (cuda_path() == CudaPath::kFast && fast_path_takes(params)) {
      return select_tokens_fast(params, kept_cu_seqlens, stream);
    }
  }
  return select_tokens_portable(params, kept_cu_seqlens, stream);
}

template cudaError_t select_tokens_cuda(const SelectTokensParams<float>&, std::int32_t*,
                                        cudaStream_t);
template cudaError_t select_tokens_cuda(const SelectTokensParams<double>&, std::int32_t*,
                                        cudaStream_t);

}  // namespace simba::kernels
