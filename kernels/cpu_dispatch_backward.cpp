// The public CPU entry points of the gradients, as cpu_dispatch.cpp has those of the operators.
#include "kernels/cpu_dispatch.h"

namespace simba::kernels {

template <typename T>
std::int64_t selective_scan_backward_scratch(const SelectiveScanBackwardParams<T>& params) {
  const std::int64_t tokens = params.batch * params.sequences.length;
  return 2 * scan_backward_groups(params.channels) * tokens * params.states +
         params.sequences.count * params.channels * (params.states + 2);
}

template <typename T>
std::int64_t selective_scan_backward_work_items(const SelectiveScanBackwardParams<T>& params) {
  return params.sequences.count * scan_backward_groups(params.channels);
}

template <typename T>
void selective_scan_backward_cpu(const SelectiveScanBackwardParams<T>& params, std::int64_t begin,
                                 std::int64_t end) {
  on_cpu_target(
      [&]<CpuTarget target>() { selective_scan_backward_target<target, T>(params, begin, end); });
}

template <typename T>
void selective_scan_backward_sum_tokens_cpu(const SelectiveScanBackwardParams<T>& params,
                                            std::int64_t begin, std::int64_t end) {
  on_cpu_target([&]<CpuTarget target>() {
    selective_scan_backward_sum_tokens_target<target, T>(params, begin, end);
  });
}

template <typename T>
void selective_scan_backward_sum_channels_cpu(const SelectiveScanBackwardParams<T>& params,
                                              std::int64_t begin, std::int64_t end) {
  on_cpu_target([&]<CpuTarget target>() {
    selective_scan_backward_sum_channels_target<target, T>(params, begin, end);
  });
}

template <typename T>
std::int64_t causal_conv1d_backward_scratch(const CausalConv1dBackwardParams<T>& params) {
  return params.sequences.count * params.channels * (params.width + 1);
}

template <typename T>
std::int64_t causal_conv1d_backward_work_items(const CausalConv1dBackwardParams<T>& params) {
  return params.sequences.count * ceil_div(params.channels, kBlockChannels);
}

template <typename T>
void causal_conv1d_backward_cpu(const CausalConv1dBackwardParams<T>& params, std::int64_t begin,
                                std::int64_t end) {
  on_cpu_target(
      [&]<CpuTarget target>() { causal_conv1d_backward_target<target, T>(params, begin, end); });
}

template <typename T>
void causal_conv1d_backward_sum_cpu(const CausalConv1dBackwardParams<T>& params, std::int64_t begin,
                                    std::int64_t end) {
  on_cpu_target([&]<CpuTarget target>() {
    causal_conv1d_backward_sum_target<target, T>(params, begin, end);
  });
}

template <typename T, typename R>
std::int64_t add_norm_backward_scratch(const AddNormBackwardParams<T, R>& params) {
  return add_norm_backward_work_items(params) * 2 * params.channels;
}

template <typename T, typename R>
std::int64_t add_norm_backward_work_items(const AddNormBackwardParams<T, R>& params) {
  return ceil_div(params.batch * params.picked.sources, kNormBackwardRun);
}

template <typename T, typename R>
void add_norm_backward_cpu(const AddNormBackwardParams<T, R>& params, std::int64_t begin,
                           std::int64_t end) {
  on_cpu_target(
      [&]<CpuTarget target>() { add_norm_backward_target<target, T, R>(params, begin, end); });
}

template <typename T, typename R>
void add_norm_backward_sum_cpu(const AddNormBackwardParams<T, R>& params, std::int64_t begin,
                               std::int64_t end) {
  on_cpu_target(
      [&]<CpuTarget target>() { add_norm_backward_sum_target<target, T, R>(params, begin, end); });
}

template <typename T>
void gate_backward_cpu(const GateBackwardParams<T>& params, std::int64_t begin, std::int64_t end) {
  on_cpu_target([&]<CpuTarget target>() { gate_backward_target<target, T>(params, begin, end); });
}

#define SIMBA_INSTANTIATE(T)                                                                       \
  template std::int64_t selective_scan_backward_scratch(const SelectiveScanBackwardParams<T>&);    \
  template std::int64_t selective_scan_backward_work_items(const SelectiveScanBackwardParams<T>&); \
  template void selective_scan_backward_cpu(const SelectiveScanBackwardParams<T>&, std::int64_t,   \
                                            std::int64_t);                                         \
  template void selective_scan_backward_sum_tokens_cpu(const SelectiveScanBackwardParams<T>&,      \
                                                       std::int64_t, std::int64_t);                \
  template void selective_scan_backward_sum_channels_cpu(const SelectiveScanBackwardParams<T>&,    \
                                                         std::int64_t, std::int64_t);              \
  template std::int64_t causal_conv1d_backward_scratch(const CausalConv1dBackwardParams<T>&);      \
  template std::int64_t causal_conv1d_backward_work_items(const CausalConv1dBackwardParams<T>&);   \
  template void causal_conv1d_backward_cpu(const CausalConv1dBackwardParams<T>&, std::int64_t,     \
                                           std::int64_t);                                          \
  template void causal_conv1d_backward_sum_cpu(const CausalConv1dBackwardParams<T>&, std::int64_t, \
                                               std::int64_t);                                      \
  template void gate_backward_cpu(const GateBackwardParams<T>&, std::int64_t, std::int64_t);
SIMBA_INSTANTIATE(float)
SIMBA_INSTANTIATE(double)
SIMBA_INSTANTIATE(BFloat16)
SIMBA_INSTANTIATE(Float16)
#undef SIMBA_INSTANTIATE

#define SIMBA_INSTANTIATE(T, R)                                                             \
  template std::int64_t add_norm_backward_scratch(const AddNormBackwardParams<T, R>&);      \
  template std::int64_t add_norm_backward_work_items(const AddNormBackwardParams<T, R>&);   \
  template void add_norm_backward_cpu(const AddNormBackwardParams<T, R>&, std::int64_t,     \
                                      std::int64_t);                                        \
  template void add_norm_backward_sum_cpu(const AddNormBackwardParams<T, R>&, std::int64_t, \
                                          std::int64_t);
SIMBA_INSTANTIATE(float, float)
SIMBA_INSTANTIATE(double, double)
SIMBA_INSTANTIATE(BFloat16, BFloat16)
SIMBA_INSTANTIATE(Float16, Float16)
SIMBA_INSTANTIATE(BFloat16, float)
SIMBA_INSTANTIATE(Float16, float)
#undef SIMBA_INSTANTIATE

}  // namespace simba::kernels
