// The `keep` highest-scoring tokens of every sequence, as ascending positions. Tokens are ordered
// by (score, position): of equal scores the later token is kept. The last token of a sequence is
// always kept. NaN ranks below -inf.
#pragma once

#include <cstdint>

#include "kernels/views.h"

namespace simba::kernels {

template <typename Acc>
struct SelectTokensParams {
  Sequences sequences;
  const Acc* scores = nullptr;  // (B, L); row stride below, last dimension contiguous
  std::int64_t batch_stride = 0;
  // Output (S rows of keep, or one packed row): sequence s writes its keep(s) positions, as
  // positions in its batch row, to indices[keep_offsets[s] .. keep_offsets[s + 1]). Host memory on
  // the CPU.
  const std::int64_t* keep_offsets = nullptr;  // (S + 1)
  std::int64_t* indices = nullptr;
};

// Work items are the sequences. Instantiated for float and double.
template <typename Acc>
void select_tokens_cpu(const SelectTokensParams<Acc>& params, std::int64_t begin, std::int64_t end);

}  // namespace simba::kernels
