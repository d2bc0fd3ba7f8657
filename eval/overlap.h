// How much of what a criterion keeps are simply the newest tokens.
//
// At the cut of layer l (the tokens that leave l for l + 1) with k of the context's T tokens left,
// the overlap with recent is the share of those k whose original position is among the newest k of
// the context, i.e. at least T - k: exactly the tokens that `recent` would hold there. 1 is
// `recent` itself. What is read after the last layer is no cut.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "csrc/model/observer.h"

namespace simba::eval {

// Kept tokens at one layer's cut, summed over sequences.
struct CutCount {
  std::int64_t kept = 0;
  std::int64_t recent = 0;  // of them, those that `recent` keeps too

  double overlap() const { return static_cast<double>(recent) / static_cast<double>(kept); }
};

using CutCounts =
    std::map<std::int64_t, CutCount>;  // by layer; layers that drop nothing are absent

// Mean over the layers that drop, 1 where there is none.
double mean_overlap(const CutCounts& cuts);

// Watches one prefill. Positions stay on the device until the counts are asked for.
class RecentOverlap final : public Observer {
 public:
  explicit RecentOverlap(std::int64_t n_layer) : n_layer_(n_layer) {}

  void saw(std::int64_t layer, const Tokens& tokens, const SsmInputs& inputs,
           const Kept& kept) override;

  // Adds what was seen to `counts`.
  void add_to(CutCounts& counts) const;

 private:
  struct Cut {
    std::int64_t layer;
    std::vector<std::int64_t> entered;
    std::vector<std::int64_t> kept;
    at::Tensor positions;
  };

  std::int64_t n_layer_;
  std::vector<std::int64_t> context_;
  std::vector<Cut> cuts_;
};

}  // namespace simba::eval
