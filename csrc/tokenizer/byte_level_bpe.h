// Byte-level BPE as GPT-NeoX uses it: added tokens are cut out, the rest is normalized and split
// into words, the bytes of each word are merged. Ids equal those of Hugging Face's `tokenizers` on
// the same tokenizer.json.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "csrc/tokenizer/added_tokens.h"
#include "csrc/tokenizer/bpe_merge.h"
#include "csrc/tokenizer/tokenizer.h"
#include "csrc/tokenizer/tokenizer_json.h"
#include "csrc/tokenizer/word_cache.h"

namespace simba {

class ByteLevelBpe : public Tokenizer {
 public:
  // `path` names the file in messages. Throws InputError where the vocabulary lacks a byte or
  // <|endoftext|>.
  ByteLevelBpe(TokenizerJson file, const std::string& path);

  // Throws InputError naming the byte offset where the text is not UTF-8.
  std::vector<std::int64_t> encode(std::string_view text) const override;
  // The bytes of the pieces; what of them is not UTF-8 becomes U+FFFD. Special tokens are written
  // out. An added token with a character outside the byte alphabet is its own text; any other is
  // read in that alphabet like a piece, as `tokenizers` does.
  std::string decode(const std::vector<std::int64_t>& ids) const override;

  // One above the largest id; there may be ids without a piece below it.
  std::int64_t vocab_size() const override { return static_cast<std::int64_t>(pieces_.size()); }
  std::int64_t document_start() const override { return document_start_; }
  // As the file spells it: " the" is "Ġthe". Empty for an id without a piece.
  std::string piece(std::int64_t id) const override;

 private:
  void encode_normalized(std::string_view text, std::vector<std::int64_t>& ids) const;
  void encode_word(std::string_view word, std::vector<std::int64_t>& ids) const;
  std::size_t index_of(std::int64_t id) const;

  std::vector<std::string> pieces_;       // by id, as the file spells them
  std::vector<std::string> piece_bytes_;  // by id, as decode writes them
  std::array<std::int32_t, 256> byte_ids_;
  BpeMerges merges_;
  std::unordered_map<std::string, std::int32_t> whole_words_;  // empty unless ignore_merges
  AddedTokens exact_tokens_;
  AddedTokens normalized_tokens_;
  bool nfc_, add_prefix_space_, use_regex_;
  std::int64_t document_start_;
  mutable WordCache cache_;
};

}  // namespace simba
