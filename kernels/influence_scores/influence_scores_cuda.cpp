#include "kernels/influence_scores/influence_scores_cuda.h"

#include "kernels/cuda/launch.h"
#include "kernels/cuda/path.h"
#include "kernels/influence_scores/influence_paths.h"

namespace simba::kernels {
namespace {

// Of a block, in either kernel.
constexpr std::int64_t kFewestChannels = 32;

template <typename T>
bool takes_fast_path(const InfluenceScoresParams<T>& params) {
  if constexpr (sizeof(T) <= sizeof(float)) {
    return cuda_path() == CudaPath::kFast && fast_path_takes(params);
  }
  return false;
}

}  // namespace

template <typename T>
std::int64_t influence_scores_scratch_cuda(const InfluenceScoresParams<T>& params) {
  if constexpr (sizeof(T) <= sizeof(float)) {
    if (takes_fast_path(params)) return influence_scratch_fast(params);
  }
  return influence_scratch_portable(params);
}

template <typename T>
cudaError_t influence_scores_cuda(const InfluenceScoresParams<T>& params, cudaStream_t stream) {
  const std::int64_t tokens = params.batch * params.sequences.length;
  if (params.sequences.count < 0 || params.sequences.length < 0 || params.batch < 0 ||
      params.channels < 0 || params.states < 0 ||
      !fits_grid(params.sequences.count, ceil_div(params.channels, kFewestChannels)) ||
      !fits_grid(tokens, 1)) {
    return cudaErrorInvalidValue;
  }
  if (tokens == 0) return cudaSuccess;
  if constexpr (sizeof(T) <= sizeof(float)) {
    if (takes_fast_path(params)) return influence_scores_fast(params, stream);
  }
  return influence_scores_portable(params, stream);
}

template std::int64_t influence_scores_scratch_cuda(const InfluenceScoresParams<float>&);
template std::int64_t influence_scores_scratch_cuda(const InfluenceScoresParams<double>&);
template std::int64_t influence_scores_scratch_cuda(const InfluenceScoresParams<BFloat16>&);
template std::int64_t influence_scores_scratch_cuda(const InfluenceScoresParams<Float16>&);
template cudaError_t influence_scores_cuda(const InfluenceScoresParams<float>&, cudaStream_t);
template cudaError_t influence_scores_cuda(const InfluenceScoresParams<double>&, cudaStream_t);
template cudaError_t influence_scores_cuda(const InfluenceScoresParams<BFloat16>&, cudaStream_t);
template cudaError_t influence_scores_cuda(const InfluenceScoresParams<Float16>&, cudaStream_t);

}  // namespace simba::kernels
