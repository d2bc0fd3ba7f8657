// Sees every layer of a forward pass: activations, kept positions and scores. Figures and
// comparisons hang here.
#pragma once

#include <cstdint>

#include "csrc/model/tokens.h"

namespace simba {

class Observer {
 public:
  virtual ~Observer() = default;
  // tokens: as they leave the layer (kept ones only); inputs: of all tokens that entered; kept:
  // which.
  virtual void saw(std::int64_t layer, const Tokens& tokens, const SsmInputs& inputs,
                   const Kept& kept) = 0;
};

}  // namespace simba
