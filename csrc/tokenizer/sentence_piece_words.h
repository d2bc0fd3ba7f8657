// SentencePiece models whose words are encoded independently of one another, and their ids.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "csrc/tokenizer/bpe_merge.h"

namespace simba {

// A text is cut at every blank, which belongs to the word after it, and before every symbol of one
// byte that never merges: what lies between two cuts has the same ids alone.
class SentencePieceWords {
 public:
  // model: a whole ModelProto of sentencepiece_model.proto. Null where words depend on one another,
  // or it cannot be told. They do not in a BPE model that takes text as it is (no normalization,
  // add_dummy_prefix, blanks kept) and whose pieces hold a blank at their begin alone: no merge
  // reaches over one. A unigram model adds up scores from the text's begin in float32, so far words
  // decide near ties.
  static std::unique_ptr<const SentencePieceWords> of(std::string_view model);

  bool begins_word(char c) const { return symbols_[static_cast<unsigned char>(c)] >= 0; }

  // Appends the ids of a word after a blank, "" being the blank alone; or, with after_blank false,
  // of one that begins with its symbol. Nothing is appended, and false returned, for words that the
  // library has to encode: with unknown characters, bytes that are not UTF-8, or longer symbols
  // that never merge.
  bool encode(std::string_view word, bool after_blank, std::vector<std::int32_t>& ids) const;

 private:
  struct Model;
  SentencePieceWords(const Model& model, std::size_t splits);
  static bool independent(const Model& model);

  std::int32_t id_of_character(std::string_view text, std::size_t& begin) const;

  BpeMerges merges_;
  std::array<std::int32_t, 256> symbols_;                  // ids by byte; -1: none
  std::unordered_map<char32_t, std::int32_t> characters_;  // pieces of one character that merge
  std::array<std::int32_t, 128> ascii_;                    // the same, -1: none
  std::int32_t blank_id_ = 0;
};

}  // namespace simba
