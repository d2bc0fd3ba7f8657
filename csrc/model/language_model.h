// The interface between a model and whoever reads its log-likelihoods. A model family is one class.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "csrc/model/model_shape.h"
#include "csrc/model/observer.h"
#include "csrc/model/packed_tokens.h"
#include "csrc/model/pruning_plan.h"

namespace simba {

// What a model remembers of S sequences after reading them. Names the plan that made it: states of
// different plans are never mixed.
class State {
 public:
  virtual ~State() = default;
  // The states of sequences ids[0], ids[1], ...: replicates, reorders or drops.
  virtual std::unique_ptr<State> index(const std::vector<std::int64_t>& ids) const = 0;
  virtual std::int64_t sequences() const = 0;
  virtual const std::string& plan() const = 0;
};

struct Prefill {
  std::unique_ptr<State> state;
  at::Tensor
      last_logits;  // (S, V) float32 (float64 in a float64 model): after each context's last token
};

class LanguageModel : public ModelShape {
 public:
  // Reads S contexts under a plan. Throws InputError on an empty context or an id outside [0, V).
  virtual Prefill prefill(const PackedTokens& tokens, const PruningPlan& plan,
                          Observer* observer = nullptr) = 0;

  // Reads more tokens of the same S sequences densely and advances the state in place; sequences
  // may have length 0. Returns the logits after every token, packed, (sum of lengths, V). The first
  // token of a continuation is read from last_logits, so K scored tokens extend by K - 1.
  virtual at::Tensor extend(State& state, const PackedTokens& tokens,
                            Observer* observer = nullptr) = 0;

  virtual at::ScalarType dtype() const = 0;
  virtual at::Device device() const = 0;
};

}  // namespace simba
