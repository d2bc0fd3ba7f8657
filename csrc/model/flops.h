// Counted floating point operations of a language model: 2 per multiply-add of every projection and
// of the conv, 9 D N per token for the scan, 6 D N per token for influence scores, per layer with
// its own token counts (out_proj and gate at the kept rows).
#pragma once

#include <cstdint>

namespace simba {

struct FlopCount {
  double prefill = 0;       // the layers over the context
  double scores = 0;        // influence scores, in layers that drop tokens
  double continuation = 0;  // the layers over the tokens after the context, run densely
  double head = 0;          // the LM head wherever logits are read

  double prefill_with_scores() const { return prefill + scores; }
  double total() const { return prefill + scores + continuation + head; }

  FlopCount& operator+=(const FlopCount& other) {
    prefill += other.prefill;
    scores += other.scores;
    continuation += other.continuation;
    head += other.head;
    return *this;
  }
};

}  // namespace simba
