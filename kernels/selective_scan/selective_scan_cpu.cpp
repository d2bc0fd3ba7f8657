// Compiled once per CpuTarget. Work item i: block of channels i / S, sequence i % S, so that one
// thread's neighbouring items share A.
#include "kernels/selective_scan/scan_block.h"

namespace simba::kernels {

template <CpuTarget target, typename T>
void selective_scan_target(const SelectiveScanParams<T>& params, std::int64_t begin,
                           std::int64_t end) {
  if (begin >= end) return;
  const HWY_NAMESPACE::FlushSubnormals flush;
  const Sequences& sequences = params.sequences;
  HWY_NAMESPACE::ScanBlock<T> block(params.states);
  std::int64_t loaded = -1;
  for (std::int64_t item = begin; item < end; ++item) {
    const std::int64_t s = item % sequences.count;
    const std::int64_t first = item / sequences.count * kBlockChannels;
    if (loaded != first) {
      const std::int64_t rest = params.channels - first;
      block.load_parameters(params, first, rest < kBlockChannels ? rest : kBlockChannels);
      loaded = first;
    }
    const std::int64_t state = (s * params.channels + first) * params.states;
    block.load_state(params.initial_state ? params.initial_state + state : nullptr, params.states);
    block.advance(params, sequences.batch(s), sequences.begin(s), sequences.end(s));
    block.store_state(params.last_state + state, params.states);
  }
}

template void selective_scan_target<CpuTarget::SIMBA_CPU_TARGET, float>(
    const SelectiveScanParams<float>&, std::int64_t, std::int64_t);
template void selective_scan_target<CpuTarget::SIMBA_CPU_TARGET, double>(
    const SelectiveScanParams<double>&, std::int64_t, std::int64_t);
template void selective_scan_target<CpuTarget::SIMBA_CPU_TARGET, BFloat16>(
    const SelectiveScanParams<BFloat16>&, std::int64_t, std::int64_t);
template void selective_scan_target<CpuTarget::SIMBA_CPU_TARGET, Float16>(
    const SelectiveScanParams<Float16>&, std::int64_t, std::int64_t);

}  // namespace simba::kernels
