// Compiled once per CpuTarget: the step of kernels/selective_scan/scan_block.h. Work items as in
// the scan.
#include "kernels/selective_scan/scan_block.h"

namespace simba::kernels {

template <CpuTarget target, typename T>
void selective_state_update_target(const SelectiveStateUpdateParams<T>& params, std::int64_t begin,
                                   std::int64_t end) {
  if (begin >= end) return;
  const HWY_NAMESPACE::FlushSubnormals flush;
  HWY_NAMESPACE::ScanStripe<T> block(params.states, 1);
  std::int64_t loaded = -1;
  for (std::int64_t item = begin; item < end; ++item) {
    const std::int64_t s = item % params.sequences;
    const std::int64_t first = item / params.sequences * kBlockChannels;
    if (loaded != first) {
      const std::int64_t rest = params.channels - first;
      block.load_parameters(params, first, rest < kBlockChannels ? rest : kBlockChannels);
      loaded = first;
    }
    AccumulateType<T>* state =
        params.state + s * params.state_sequence_stride + first * params.state_channel_stride;
    block.load_state(state, params.state_channel_stride);
    block.advance(params, s, 0, 1);
    block.store_state(state, params.state_channel_stride);
  }
}

template void selective_state_update_target<CpuTarget::SIMBA_CPU_TARGET, float>(
    const SelectiveStateUpdateParams<float>&, std::int64_t, std::int64_t);
template void selective_state_update_target<CpuTarget::SIMBA_CPU_TARGET, double>(
    const SelectiveStateUpdateParams<double>&, std::int64_t, std::int64_t);
template void selective_state_update_target<CpuTarget::SIMBA_CPU_TARGET, BFloat16>(
    const SelectiveStateUpdateParams<BFloat16>&, std::int64_t, std::int64_t);
template void selective_state_update_target<CpuTarget::SIMBA_CPU_TARGET, Float16>(
    const SelectiveStateUpdateParams<Float16>&, std::int64_t, std::int64_t);

}  // namespace simba::kernels
