// Influence scores for N = 16, channels side by side in the lanes:
//   1. R at every chunk's end, and bounds of the chunk's log2|dy| (influence_totals.cuh);
//   2. maxima from the tokens and channels that their bounds do not rule out
//   (influence_maxima.cuh),
//      or sums over blocks of channels (influence_sums.cuh), which influence_reduce.cuh adds up.
#include "kernels/cuda/alignment.h"
#include "kernels/cuda/device.h"
#include "kernels/influence_scores/influence_maxima.cuh"
#include "kernels/influence_scores/influence_paths.h"
#include "kernels/influence_scores/influence_sums.cuh"

namespace simba::kernels {

using namespace influence;

template <typename T>
bool fast_path_takes(const InfluenceScoresParams<T>& params) {
  constexpr std::int64_t kMaxGridRows = 65535;
  constexpr std::int64_t kMaxStride = 1 << 24;  // places within a chunk are 32-bit numbers
  const std::int64_t columns = ceil_div(params.channels, std::int64_t{kColumns});
  return device_capability() >= 80 && params.states == kStates && params.channels > 0 &&
         params.channels % kQuad == 0 && takes_packets(params.u, kQuad) &&
         takes_packets(params.delta, kQuad) && takes_packets(params.A, kQuad) &&
         takes_packets(params.delta_bias, kQuad) && params.u.row_stride <= kMaxStride &&
         params.delta.row_stride <= kMaxStride && columns <= kMaxGridRows &&
         fits_grid(chunk_count(params.sequences) + 2 * params.sequences.count, columns);
}

// Partial sums before the totals, whose quads must stay aligned.
template <typename T>
std::int64_t partial_elements(const InfluenceScoresParams<T>& params) {
  if (is_maximum(params.reduction)) return 0;
  const std::int64_t tokens = params.batch * params.sequences.length;
  const std::int64_t slabs = ceil_div(params.channels, std::int64_t{kSumChannels});
  return ceil_div(tokens * slabs, std::int64_t{kQuad}) * kQuad;
}

template <typename T>
std::int64_t influence_scratch_fast(const InfluenceScoresParams<T>& params) {
  return partial_elements(params) +
         Totals::elements(chunk_count(params.sequences), params.sequences.count, params.channels);
}

template <typename T>
cudaError_t influence_scores_fast(const InfluenceScoresParams<T>& params, cudaStream_t stream) {
  const Totals totals(params.partial + partial_elements(params), chunk_count(params.sequences),
                      params.sequences.count, params.channels);
  if (const cudaError_t error = find_totals(params, totals, stream); error != cudaSuccess) {
    return error;
  }
  if (is_maximum(params.reduction)) return find_maxima(params, totals, stream);
  const std::int64_t slabs = ceil_div(params.channels, std::int64_t{kSumChannels});
  const cudaError_t error = find_sums(params, totals, params.partial, slabs, stream);
  return error != cudaSuccess ? error : reduce_influence(params, slabs, stream);
}

template bool fast_path_takes(const InfluenceScoresParams<float>&);
template bool fast_path_takes(const InfluenceScoresParams<BFloat16>&);
template bool fast_path_takes(const InfluenceScoresParams<Float16>&);
template std::int64_t influence_scratch_fast(const InfluenceScoresParams<float>&);
template std::int64_t influence_scratch_fast(const InfluenceScoresParams<BFloat16>&);
template std::int64_t influence_scratch_fast(const InfluenceScoresParams<Float16>&);
template cudaError_t influence_scores_fast(const InfluenceScoresParams<float>&, cudaStream_t);
template cudaError_t influence_scores_fast(const InfluenceScoresParams<BFloat16>&, cudaStream_t);
template cudaError_t influence_scores_fast(const InfluenceScoresParams<Float16>&, cudaStream_t);

}  // namespace simba::kernels
