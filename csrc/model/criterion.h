// Which tokens a layer keeps. A new criterion is one class in one file and one line in
// criteria.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "csrc/model/tokens.h"

namespace simba {

// Everything a criterion may depend on beyond a layer's inputs. A field that a criterion does not
// read has no influence on it.
struct CriterionOptions {
  std::string decay = "no_bias";  // influence: no_bias | full | none
  std::string reduction = "max";  // influence: max | l2 | l1 | signed_max
  std::int64_t seed = 0;          // random
};

class Criterion {
 public:
  virtual ~Criterion() = default;

  // Keeps keep[s] >= 1 of the lengths[s] tokens of every sequence s; ascending, the last always in.
  // documents[s] identifies the sequence for criteria that draw random numbers.
  virtual Kept select(const SsmInputs& inputs, const std::vector<std::int64_t>& keep,
                      std::int64_t layer, const std::vector<std::int64_t>& documents) const = 0;

  // Name with the options that matter, e.g. "influence(decay=no_bias,reduction=max)", "recent",
  // "random(seed=0)". Equal names select equally.
  virtual std::string name() const = 0;

  // Whether scores are computed by influence_scores (they are charged 6 D N FLOPs per token).
  virtual bool uses_influence() const { return false; }
};

// name: influence | delta_norm | delta | recent | spaced | random. Throws InputError otherwise,
// listing the names; likewise for an unknown decay or reduction.
std::shared_ptr<const Criterion> make_criterion(const std::string& name,
                                                const CriterionOptions& options);
const std::vector<std::string>& criterion_names();

}  // namespace simba
