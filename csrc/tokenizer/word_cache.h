// Remembers the ids of words already encoded. Bounded, and safe to use from several threads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace simba {

class WordCache {
 public:
  // Words longer than this are not worth keeping.
  static constexpr std::size_t kMaxWordBytes = 64;
  static constexpr std::size_t kMaxWords = std::size_t{1} << 17;

  // Appends the word's ids to `ids` if it is known.
  bool append(std::string_view word, std::vector<std::int64_t>& ids);
  void insert(std::string_view word, const std::vector<std::int32_t>& ids);

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  // Locks are per shard, so that threads seldom meet. A full shard is emptied.
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::string, std::vector<std::int32_t>, Hash, std::equal_to<>> words;
  };
  static constexpr std::size_t kShards = 16;

  Shard& shard_of(std::string_view word);

  std::array<Shard, kShards> shards_;
};

}  // namespace simba
