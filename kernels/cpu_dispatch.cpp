// The public CPU entry points: each runs its kernel on the target chosen for this process.
#include "kernels/cpu_dispatch.h"

namespace simba::kernels {

template <typename T>
std::int64_t selective_scan_work_items(const SelectiveScanParams<T>& params) {
  return params.sequences.count * ceil_div(params.channels, kBlockChannels);
}

template <typename T>
void selective_scan_cpu(const SelectiveScanParams<T>& params, std::int64_t begin,
                        std::int64_t end) {
  on_cpu_target([&]<CpuTarget target>() { selective_scan_target<target, T>(params, begin, end); });
}

template <typename T>
std::int64_t selective_state_update_work_items(const SelectiveStateUpdateParams<T>& params) {
  return params.sequences * ceil_div(params.channels, kBlockChannels);
}

template <typename T>
void selective_state_update_cpu(const SelectiveStateUpdateParams<T>& params, std::int64_t begin,
                                std::int64_t end) {
  on_cpu_target(
      [&]<CpuTarget target>() { selective_state_update_target<target, T>(params, begin, end); });
}

template <typename T>
std::int64_t influence_scores_scratch(const InfluenceScoresParams<T>& params) {
  return ceil_div(params.channels, kInfluenceBlockChannels) * params.batch *
         params.sequences.length;
}

template <typename T>
std::int64_t influence_scores_work_items(const InfluenceScoresParams<T>& params) {
  return params.sequences.count * ceil_div(params.channels, kInfluenceBlockChannels);
}

template <typename T>
void influence_scores_cpu(const InfluenceScoresParams<T>& params, std::int64_t begin,
                          std::int64_t end) {
  on_cpu_target(
      [&]<CpuTarget target>() { influence_scores_target<target, T>(params, begin, end); });
}

template <typename T>
void influence_scores_reduce_cpu(const InfluenceScoresParams<T>& params, std::int64_t begin,
                                 std::int64_t end) {
  on_cpu_target(
      [&]<CpuTarget target>() { influence_scores_reduce_target<target, T>(params, begin, end); });
}

template <typename T>
std::int64_t causal_conv1d_work_items(const CausalConv1dParams<T>& params) {
  const Sequences& sequences = params.sequences;
  std::int64_t tiles = 0;
  for (std::int64_t s = 0; s < sequences.count; ++s) {
    tiles += conv_tiles(sequences.end(s) - sequences.begin(s));
  }
  return tiles;
}

template <typename T>
void causal_conv1d_cpu(const CausalConv1dParams<T>& params, std::int64_t begin, std::int64_t end) {
  on_cpu_target([&]<CpuTarget target>() { causal_conv1d_target<target, T>(params, begin, end); });
}

template <typename T, typename R>
void add_norm_cpu(const AddNormParams<T, R>& params, std::int64_t begin, std::int64_t end) {
  on_cpu_target([&]<CpuTarget target>() { add_norm_target<target, T, R>(params, begin, end); });
}

template <typename T>
void gate_cpu(const GateParams<T>& params, std::int64_t begin, std::int64_t end) {
  on_cpu_target([&]<CpuTarget target>() { gate_target<target, T>(params, begin, end); });
}

#define SIMBA_INSTANTIATE(T)                                                                       \
  template std::int64_t selective_scan_work_items(const SelectiveScanParams<T>&);                  \
  template void selective_scan_cpu(const SelectiveScanParams<T>&, std::int64_t, std::int64_t);     \
  template std::int64_t selective_state_update_work_items(const SelectiveStateUpdateParams<T>&);   \
  template void selective_state_update_cpu(const SelectiveStateUpdateParams<T>&, std::int64_t,     \
                                           std::int64_t);                                          \
  template std::int64_t influence_scores_scratch(const InfluenceScoresParams<T>&);                 \
  template std::int64_t influence_scores_work_items(const InfluenceScoresParams<T>&);              \
  template void influence_scores_cpu(const InfluenceScoresParams<T>&, std::int64_t, std::int64_t); \
  template void influence_scores_reduce_cpu(const InfluenceScoresParams<T>&, std::int64_t,         \
                                            std::int64_t);                                         \
  template std::int64_t causal_conv1d_work_items(const CausalConv1dParams<T>&);                    \
  template void causal_conv1d_cpu(const CausalConv1dParams<T>&, std::int64_t, std::int64_t);       \
  template void add_norm_cpu(const AddNormParams<T, T>&, std::int64_t, std::int64_t);              \
  template void gate_cpu(const GateParams<T>&, std::int64_t, std::int64_t);
SIMBA_INSTANTIATE(float)
SIMBA_INSTANTIATE(double)
SIMBA_INSTANTIATE(BFloat16)
SIMBA_INSTANTIATE(Float16)
#undef SIMBA_INSTANTIATE

template void add_norm_cpu(const AddNormParams<BFloat16, float>&, std::int64_t, std::int64_t);
template void add_norm_cpu(const AddNormParams<Float16, float>&, std::int64_t, std::int64_t);

}  // namespace simba::kernels
