// Text to token ids and back.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace simba {

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Ids of UTF-8 text, no document start added. Special pieces written in the text follow the rules
  // of the underlying tokenizer. Throws InputError on invalid UTF-8 where the tokenizer cannot take
  // it.
  virtual std::vector<std::int64_t> encode(std::string_view text) const = 0;
  virtual std::string decode(const std::vector<std::int64_t>& ids) const = 0;

  virtual std::int64_t vocab_size() const = 0;
  // The id put before every document: </s> or <|endoftext|>.
  virtual std::int64_t document_start() const = 0;
  virtual std::string piece(std::int64_t id) const = 0;
};

// Opens `path` by its content: a SentencePiece model or a tokenizer.json. Throws InputError.
std::unique_ptr<Tokenizer> load_tokenizer(const std::string& path);

// The tokenizer file beside a checkpoint's weights, if there is one: tokenizer.model, else
// tokenizer.json. The first wins because where both lie there, the second is a conversion of it.
std::optional<std::string> find_tokenizer(const std::string& model_dir);

}  // namespace simba
