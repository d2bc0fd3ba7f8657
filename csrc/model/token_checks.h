// What every model demands of the tokens it is given. Errors are InputErrors.
#pragma once

#include <cstdint>

#include "csrc/model/packed_tokens.h"

namespace simba {

// For prefill: no empty sequence, ids in [0, vocab_size), lengths that sum to the ids.
void check_contexts(const PackedTokens& tokens, std::int64_t vocab_size);

// For extend: tokens for the state's `sequences`, which may be empty; ids and lengths as above.
void check_continuations(const PackedTokens& tokens, std::int64_t vocab_size,
                         std::int64_t sequences);

}  // namespace simba
