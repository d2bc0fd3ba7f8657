// SentencePiece models (arXiv 1808.06226), with the library's own rules for encoding: a blank is
// put before the text, '' has no ids, a literal U+2581 is a blank, control pieces written in the
// text are plain text, bytes that are not UTF-8 are taken as U+FFFD.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "csrc/tokenizer/sentence_piece_words.h"
#include "csrc/tokenizer/tokenizer.h"
#include "csrc/tokenizer/word_cache.h"

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace simba {

class SentencePiece : public Tokenizer {
 public:
  // `model` is the content of a tokenizer.model file, `path` its name for messages. Throws
  // InputError where the model is truncated, is something else or has no </s>.
  SentencePiece(std::string_view model, const std::string& path);
  ~SentencePiece() override;

  std::vector<std::int64_t> encode(std::string_view text) const override;
  // Control pieces such as </s> have no text.
  std::string decode(const std::vector<std::int64_t>& ids) const override;

  std::int64_t vocab_size() const override;
  std::int64_t document_start() const override { return document_start_; }
  std::string piece(std::int64_t id) const override;

 private:
  int checked_id(std::int64_t id) const;
  std::vector<int> encode_at_once(std::string_view text) const;
  void encode_word(std::string_view word, bool after_blank, std::vector<std::int64_t>& ids) const;

  std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
  std::int64_t document_start_;
  // A text is encoded word by word where that gives the library's ids; null: it is not.
  std::unique_ptr<const SentencePieceWords> words_;
  mutable WordCache words_after_blanks_, other_words_;
};

}  // namespace simba
