// GPT-2's split of text into words, a hand-written scanner for the pattern
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// (openai/gpt-2, src/encoder.py; the ByteLevel pre-tokenizer of Hugging Face uses the same).
#pragma once

#include <cstddef>
#include <string_view>

namespace simba {

// The end of the word that starts at `begin` < text.size(). The text must be valid UTF-8. Every
// character belongs to a word, so repeated calls cut the whole text.
std::size_t gpt2_word_end(std::string_view text, std::size_t begin);

}  // namespace simba
