// Compiled once per CpuTarget. Blocks of channels are gathered in stripes of equal width. Work
// item: a block of one sequence; within a stripe the sequences follow one another, so that they
// share A, and within a sequence the stripe's blocks, which a thread takes together.
#include "kernels/selective_scan/scan_block.h"

namespace simba::kernels {

template <CpuTarget target, typename T>
void selective_scan_target(const SelectiveScanParams<T>& params, std::int64_t begin,
                           std::int64_t end) {
  if (begin >= end) return;
  // Scratch of so many blocks lies in a second-level cache.
  constexpr std::int64_t kWidestStripe = 8;
  const HWY_NAMESPACE::FlushSubnormals flush;
  const Sequences& sequences = params.sequences;
  const std::int64_t blocks = ceil_div(params.channels, kBlockChannels);
  const std::int64_t width = ceil_div(blocks, ceil_div(blocks, kWidestStripe));
  HWY_NAMESPACE::ScanStripe<T> stripe(params.states, width);
  for (std::int64_t item = begin; item < end;) {
    // Only the last stripe can be narrower than `width`.
    const std::int64_t first_block = item / (sequences.count * width) * width;
    const std::int64_t own_width = blocks - first_block < width ? blocks - first_block : width;
    const std::int64_t within = item - first_block * sequences.count;
    const std::int64_t s = within / own_width, skipped = within % own_width;
    const std::int64_t rest_blocks = own_width - skipped;
    const std::int64_t count = end - item < rest_blocks ? end - item : rest_blocks;

    const std::int64_t first = (first_block + skipped) * kBlockChannels;
    const std::int64_t rest = params.channels - first;
    const std::int64_t channels = rest < count * kBlockChannels ? rest : count * kBlockChannels;
    if (stripe.first() != first || stripe.channels() != channels) {
      stripe.load_parameters(params, first, channels);
    }
    const std::int64_t state = (s * params.channels + first) * params.states;
    stripe.load_state(params.initial_state ? params.initial_state + state : nullptr, params.states);
    stripe.advance(params, sequences.batch(s), sequences.begin(s), sequences.end(s));
    stripe.store_state(params.last_state + state, params.states);
    item += count;
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
