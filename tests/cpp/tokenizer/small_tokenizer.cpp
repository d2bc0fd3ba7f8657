#include "tests/cpp/tokenizer/small_tokenizer.h"

#include "csrc/tokenizer/byte_unicode.h"
#include "csrc/tokenizer/tokenizer_json.h"
#include "csrc/tokenizer/utf8.h"

namespace simba::test {

using nlohmann::json;

json added_token(int id, const std::string& content) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", false}};
}

json small_tokenizer() {
  json vocab = json::object();
  for (const char32_t character : byte_alphabet()) {
    std::string piece;
    append_utf8(character, piece);
    const std::size_t byte = *byte_of(character);
    vocab[piece] = byte;
  }
  json merges = json::array();
  const auto merge = [&](const std::string& left, const std::string& right) {
    vocab[left + right] = vocab.size();
    merges.push_back(left + " " + right);
  };
  merge("h", "e");
  merge("l", "l");
  merge("he", "ll");
  merge("hell", "o");
  merge("Ġ", "hello");
  merge("Ġ", "Ġ");
  merge("'", "s");
  merge("Ã", "©");
  merge("1", "2");
  json end_of_text = added_token(265, "<|endoftext|>");
  end_of_text["special"] = true;
  json three_blanks = added_token(266, "   ");
  json two_blanks = added_token(267, "  ");
  three_blanks["normalized"] = two_blanks["normalized"] = true;
  const json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", {end_of_text, three_blanks, two_blanks}},
          {"normalizer", {{"type", "NFC"}}},
          {"pre_tokenizer", byte_level},
          {"post_processor", byte_level},
          {"decoder", byte_level},
          {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", merges}}}};
}

std::unique_ptr<ByteLevelBpe> load(const json& file) {
  const std::string path = "tokenizer.json";
  return std::make_unique<ByteLevelBpe>(read_tokenizer_json(file.dump(), path), path);
}

}  // namespace simba::test
