// A byte-level tokenizer.json small enough to work out ids by hand.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "csrc/tokenizer/byte_level_bpe.h"

namespace simba::test {

// Ids 0 to 255 are the bytes. Then come, in the order of their merges: 256 "he", 257 "ll", 258
// "hell", 259 "hello", 260 " hello", 261 "  ", 262 "'s", 263 "\u00e9", 264 "12"; then the added
// tokens 265
// <|endoftext|> (special), 266 three blanks and 267 two blanks (both looked for after NFC).
nlohmann::json small_tokenizer();

// An added token as the file writes it, all flags false.
nlohmann::json added_token(int id, const std::string& content);

std::unique_ptr<ByteLevelBpe> load(const nlohmann::json& file);

}  // namespace simba::test
