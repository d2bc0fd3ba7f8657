// One id per byte: its value mod 20, plus 2. The document start is 1.
#pragma once

#include "csrc/tokenizer/tokenizer.h"

namespace simba::eval {

class FakeTokenizer final : public Tokenizer {
 public:
  std::vector<std::int64_t> encode(std::string_view text) const override {
    std::vector<std::int64_t> ids;
    for (const char c : text) ids.push_back(static_cast<unsigned char>(c) % 20 + 2);
    return ids;
  }
  std::string decode(const std::vector<std::int64_t>&) const override { return ""; }
  std::int64_t vocab_size() const override { return 22; }
  std::int64_t document_start() const override { return 1; }
  std::string piece(std::int64_t id) const override {
    return std::string("<").append(std::to_string(id)).append(">");
  }
};

}  // namespace simba::eval
