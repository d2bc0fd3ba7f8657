// Compiled once per CpuTarget. Work item i: sequence i / groups, group i % groups of neighbouring
// channel blocks. Scratch: per group, shares of grad_B, then of grad_C (B L, N); then per sequence,
// shares of grad_A (D, N), grad_D and grad_delta_bias (D).
#include "kernels/selective_scan_backward/scan_backward_block.h"

namespace simba::kernels {
namespace {

template <typename T>
struct ScratchLayout {
  using Acc = AccumulateType<T>;

  explicit ScratchLayout(const SelectiveScanBackwardParams<T>& params)
      : data(params.scratch),
        groups(scan_backward_groups(params.channels)),
        tokens(params.batch * params.sequences.length * params.states),
        channels(params.channels),
        states(params.states) {}

  Acc* grad_B(std::int64_t group) const { return data + group * tokens; }
  Acc* grad_C(std::int64_t group) const { return data + (groups + group) * tokens; }
  Acc* grad_A(std::int64_t s) const {
    return data + 2 * groups * tokens + s * channels * (states + 2);
  }
  Acc* grad_D(std::int64_t s) const { return grad_A(s) + channels * states; }
  Acc* grad_bias(std::int64_t s) const { return grad_D(s) + channels; }

  Acc* data;
  std::int64_t groups, tokens, channels, states;
};

}  // namespace

template <CpuTarget target, typename T>
void selective_scan_backward_target(const SelectiveScanBackwardParams<T>& params,
                                    std::int64_t begin, std::int64_t end) {
  if (begin >= end) return;
  HWY_NAMESPACE::ScanBackwardBlock<T> block(params.states);
  const ScratchLayout<T> shares(params);
  const std::int64_t group_channels = kBlockChannels * scan_backward_group_blocks(params.channels);
  for (std::int64_t item = begin; item < end; ++item) {
    const std::int64_t s = item / shares.groups, group = item % shares.groups;
    const std::int64_t start = group * group_channels;
    for (std::int64_t first = start; first < start + group_channels && first < params.channels;
         first += kBlockChannels) {
      const std::int64_t rest = params.channels - first;
      block.load_parameters(params, first, rest < kBlockChannels ? rest : kBlockChannels);
      block.run(params, s, first > start, shares.grad_B(group), shares.grad_C(group),
                shares.grad_A(s), shares.grad_D(s), shares.grad_bias(s));
    }
  }
}

template <CpuTarget target, typename T>
void selective_scan_backward_sum_tokens_target(const SelectiveScanBackwardParams<T>& params,
                                               std::int64_t begin, std::int64_t end) {
  using namespace HWY_NAMESPACE;
  using Acc = AccumulateType<T>;
  const ScratchLayout<T> shares(params);
  const std::int64_t stop = end * params.states;
  for (std::int64_t i = begin * params.states; i < stop; i += kLanes<Acc>) {
    auto b = hn::Zero(Tag<Acc>()), c = b;
    for (std::int64_t group = 0; group < shares.groups; ++group) {
      b = hn::Add(b, load_lanes<Acc>(shares.grad_B(group) + i, stop - i));
      c = hn::Add(c, load_lanes<Acc>(shares.grad_C(group) + i, stop - i));
    }
    store_lanes<Acc>(b, params.grad_B.data + i, stop - i);
    store_lanes<Acc>(c, params.grad_C.data + i, stop - i);
  }
}

template <CpuTarget target, typename T>
void selective_scan_backward_sum_channels_target(const SelectiveScanBackwardParams<T>& params,
                                                 std::int64_t begin, std::int64_t end) {
  using Acc = AccumulateType<T>;
  const ScratchLayout<T> shares(params);
  const std::int64_t sequences = params.sequences.count;
  for (std::int64_t i = begin * params.states; i < end * params.states; ++i) {
    Acc sum = 0;
    for (std::int64_t s = 0; s < sequences; ++s) sum += shares.grad_A(s)[i];
    params.grad_A[i] = sum;
  }
  for (std::int64_t i = begin; i < end; ++i) {
    Acc grad_d = 0, grad_bias = 0;
    for (std::int64_t s = 0; s < sequences; ++s) {
      grad_d += shares.grad_D(s)[i];
      grad_bias += shares.grad_bias(s)[i];
    }
    if (params.grad_D) params.grad_D[i] = grad_d;
    if (params.grad_delta_bias) params.grad_delta_bias[i] = grad_bias;
  }
}

#define SIMBA_INSTANTIATE(T)                                                                 \
  template void selective_scan_backward_target<CpuTarget::SIMBA_CPU_TARGET, T>(              \
      const SelectiveScanBackwardParams<T>&, std::int64_t, std::int64_t);                    \
  template void selective_scan_backward_sum_tokens_target<CpuTarget::SIMBA_CPU_TARGET, T>(   \
      const SelectiveScanBackwardParams<T>&, std::int64_t, std::int64_t);                    \
  template void selective_scan_backward_sum_channels_target<CpuTarget::SIMBA_CPU_TARGET, T>( \
      const SelectiveScanBackwardParams<T>&, std::int64_t, std::int64_t);
SIMBA_INSTANTIATE(float)
SIMBA_INSTANTIATE(double)
SIMBA_INSTANTIATE(BFloat16)
SIMBA_INSTANTIATE(Float16)
#undef SIMBA_INSTANTIATE

}  // namespace simba::kernels
