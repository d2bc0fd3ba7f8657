#include "csrc/tokenizer/added_tokens.h"

#include <utility>

#include "csrc/tokenizer/character_class.h"
#include "csrc/tokenizer/utf8.h"

namespace simba {

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)), trie_(1) {
  for (std::size_t index = 0; index < tokens_.size(); ++index) {
    const std::string& content = tokens_[index].content;
    starts_[static_cast<unsigned char>(content[0])] = true;
    std::int32_t node = 0;
    for (const char c : content) {
      const auto next = static_cast<std::int32_t>(trie_.size());
      const auto [child, is_new] =
          trie_[node].children.try_emplace(static_cast<unsigned char>(c), next);
      node = child->second;
      if (is_new) trie_.emplace_back();
    }
    trie_[node].token = static_cast<std::int32_t>(index);
  }
}

const AddedToken* AddedTokens::find(std::string_view text, std::size_t& begin) const {
  for (; begin < text.size(); ++begin) {
    if (!starts_[static_cast<unsigned char>(text[begin])]) continue;
    std::int32_t longest = -1;
    std::int32_t node = 0;
    for (std::size_t i = begin; i < text.size(); ++i) {
      const auto& children = trie_[node].children;
      const auto child = children.find(static_cast<unsigned char>(text[i]));
      if (child == children.end()) break;
      node = child->second;
      if (trie_[node].token >= 0) longest = trie_[node].token;
    }
    if (longest >= 0) return &tokens_[static_cast<std::size_t>(longest)];
  }
  return nullptr;
}

bool AddedTokens::touches_word(std::string_view text, std::size_t begin, std::size_t end) {
  const std::uint8_t* classes = character_classes();
  return (begin > 0 && (classes[code_point_before(text, begin).value] & kWord)) ||
         (end < text.size() && (classes[code_point_at(text, end).value] & kWord));
}

std::size_t AddedTokens::strip_left(std::string_view text, std::size_t limit, std::size_t begin) {
  const std::uint8_t* classes = character_classes();
  while (begin > limit) {
    const CodePoint c = code_point_before(text, begin);
    if (!(classes[c.value] & kSpace)) break;
    begin -= c.size;
  }
  return begin;
}

std::size_t AddedTokens::strip_right(std::string_view text, std::size_t end) {
  const std::uint8_t* classes = character_classes();
  while (end < text.size()) {
    const CodePoint c = code_point_at(text, end);
    if (!(classes[c.value] & kSpace)) break;
    end += c.size;
  }
  return end;
}

}  // namespace simba
