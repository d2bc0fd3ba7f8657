#include "csrc/tokenizer/word_cache.h"

namespace simba {

WordCache::Shard& WordCache::shard_of(std::string_view word) {
  const auto last = static_cast<unsigned char>(word.back());
  const auto middle = static_cast<unsigned char>(word[word.size() / 2]);
  return shards_[(word.size() * 7 + middle * 3u + last) % kShards];
}

bool WordCache::append(std::string_view word, std::vector<std::int64_t>& ids) {
  if (word.size() > kMaxWordBytes) return false;
  Shard& shard = shard_of(word);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.words.find(word);
  if (found == shard.words.end()) return false;
  ids.insert(ids.end(), found->second.begin(), found->second.end());
  return true;
}

void WordCache::insert(std::string_view word, const std::vector<std::int32_t>& ids) {
  if (word.size() > kMaxWordBytes) return;
  Shard& shard = shard_of(word);
  const std::lock_guard lock(shard.mutex);
  if (shard.words.size() >= kMaxWords / kShards) shard.words.clear();
  shard.words.try_emplace(std::string(word), ids);
}

}  // namespace simba
