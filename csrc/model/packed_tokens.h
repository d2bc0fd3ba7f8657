// A batch of token sequences, packed end to end without padding.
#pragma once

#include <cstdint>
#include <vector>

namespace simba {

struct PackedTokens {
  std::vector<std::int64_t> ids;      // all sequences, one after the other
  std::vector<std::int64_t> lengths;  // of each sequence; they sum to ids.size()

  std::int64_t sequences() const { return static_cast<std::int64_t>(lengths.size()); }

  void append(const std::int64_t* first, std::int64_t count) {
    ids.insert(ids.end(), first, first + count);
    lengths.push_back(count);
  }
  void append(const std::vector<std::int64_t>& sequence) {
    append(sequence.data(), static_cast<std::int64_t>(sequence.size()));
  }
};

}  // namespace simba
