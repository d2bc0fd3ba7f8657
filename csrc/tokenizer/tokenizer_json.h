// Reads the file tokenizer.json of Hugging Face's `tokenizers` (version "1.0") as far as a
// byte-level BPE goes: normalizer none or NFC, pre-tokenizer and decoder ByteLevel, model BPE.
// Whatever else would change the ids is refused by name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "csrc/tokenizer/added_tokens.h"

namespace simba {

struct TokenizerJson {
  struct Merge {
    std::int32_t left, right, merged;  // ids
  };

  bool nfc = false;
  bool add_prefix_space = false;
  bool use_regex = true;
  bool ignore_merges = false;
  // The model's vocabulary, spelled in the byte alphabet, by id; empty where no piece has the id.
  std::vector<std::string> pieces;
  std::vector<Merge> merges;             // by rank
  std::vector<AddedToken> added_tokens;  // their ids may lie within the vocabulary or beyond it
};

// `text` is the file's content, `path` its name for messages. Throws InputError.
TokenizerJson read_tokenizer_json(std::string_view text, const std::string& path);

}  // namespace simba
