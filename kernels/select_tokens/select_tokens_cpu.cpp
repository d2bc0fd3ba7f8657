#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "kernels/select_tokens/select_tokens.h"

namespace simba::kernels {

template <typename Acc>
void select_tokens_cpu(const SelectTokensParams<Acc>& params, std::int64_t begin,
                       std::int64_t end) {
  std::vector<std::int64_t> positions;
  for (std::int64_t s = begin; s < end; ++s) {
    const Sequences& sequences = params.sequences;
    const Acc* scores = params.scores + sequences.batch(s) * params.batch_stride;
    const std::int64_t first = sequences.begin(s), last = sequences.end(s) - 1;
    const std::int64_t keep = params.keep_offsets[s + 1] - params.keep_offsets[s];
    if (keep <= 0 || last < first) continue;

    const auto before = [scores](std::int64_t a, std::int64_t b) {
      const bool a_is_nan = std::isnan(scores[a]), b_is_nan = std::isnan(scores[b]);
      if (a_is_nan != b_is_nan) return b_is_nan;
      if (!a_is_nan && scores[a] != scores[b]) return scores[a] > scores[b];
      return a > b;
    };
    // The last token is in; the others compete for what is left.
    positions.resize(last - first);
    std::iota(positions.begin(), positions.end(), first);
    const std::int64_t competing = std::min(keep - 1, static_cast<std::int64_t>(positions.size()));
    std::nth_element(positions.begin(), positions.begin() + competing, positions.end(), before);
    positions.resize(competing);
    positions.push_back(last);
    std::sort(positions.begin(), positions.end());
    std::copy(positions.begin(), positions.end(), params.indices + params.keep_offsets[s]);
  }
}

template void select_tokens_cpu(const SelectTokensParams<float>&, std::int64_t, std::int64_t);
template void select_tokens_cpu(const SelectTokensParams<double>&, std::int64_t, std::int64_t);

}  // namespace simba::kernels
