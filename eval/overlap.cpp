#include "eval/overlap.h"

namespace simba::eval {

double mean_overlap(const CutCounts& cuts) {
  if (cuts.empty()) return 1;
  double sum = 0;
  for (const auto& [layer, cut] : cuts) sum += cut.overlap();
  return sum / static_cast<double>(cuts.size());
}

void RecentOverlap::saw(std::int64_t layer, const Tokens& tokens, const SsmInputs& inputs,
                        const Kept& kept) {
  if (layer == 0) context_ = inputs.lengths;
  if (kept.all() || layer + 1 == n_layer_) return;
  cuts_.push_back({layer, inputs.lengths, kept.lengths, tokens.positions});
}

void RecentOverlap::add_to(CutCounts& counts) const {
  for (const Cut& cut : cuts_) {
    const at::Tensor on_host = cut.positions.to(at::kCPU).contiguous();
    const std::int64_t* position = on_host.const_data_ptr<std::int64_t>();
    CutCount& count = counts[cut.layer];
    for (std::size_t s = 0; s < cut.kept.size(); ++s) {
      const std::int64_t* end = position + cut.kept[s];
      if (cut.kept[s] < cut.entered[s]) {
        count.kept += cut.kept[s];
        for (const std::int64_t* p = position; p != end; ++p) {
          count.recent += *p >= context_[s] - cut.kept[s];
        }
      }
      position = end;
    }
  }
}

}  // namespace simba::eval
