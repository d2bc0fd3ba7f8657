#include "csrc/model/token_checks.h"

#include <numeric>
#include <string>

#include "csrc/input_error.h"

namespace simba {
namespace {

void check_ids(const PackedTokens& tokens, std::int64_t vocab_size) {
  const auto total = std::accumulate(tokens.lengths.begin(), tokens.lengths.end(), std::int64_t{0});
  if (total != static_cast<std::int64_t>(tokens.ids.size())) {
    throw InputError("tokens: lengths sum to " + std::to_string(total) + ", got " +
                     std::to_string(tokens.ids.size()) + " ids");
  }
  for (const std::int64_t id : tokens.ids) {
    if (id < 0 || id >= vocab_size) {
      throw InputError("tokens: expected ids in [0, " + std::to_string(vocab_size) +
                       "), the model's rows, got " + std::to_string(id));
    }
  }
}

}  // namespace

void check_contexts(const PackedTokens& tokens, std::int64_t vocab_size) {
  check_ids(tokens, vocab_size);
  for (const std::int64_t length : tokens.lengths) {
    if (length < 1)
      throw InputError("prefill: expected contexts of at least 1 token, got an empty one");
  }
}

void check_continuations(const PackedTokens& tokens, std::int64_t vocab_size,
                         std::int64_t sequences) {
  check_ids(tokens, vocab_size);
  if (tokens.sequences() != sequences) {
    throw InputError("extend: expected tokens for the state's " + std::to_string(sequences) +
                     " sequences, got " + std::to_string(tokens.sequences()));
  }
}

}  // namespace simba
