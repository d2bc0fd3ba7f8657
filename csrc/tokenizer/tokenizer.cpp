#include "csrc/tokenizer/tokenizer.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "csrc/input_error.h"
#include "csrc/tokenizer/byte_level_bpe.h"
#include "csrc/tokenizer/sentence_piece.h"
#include "csrc/tokenizer/tokenizer_json.h"

namespace simba {
namespace {

namespace fs = std::filesystem;

std::string read_file(const std::string& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) {
    throw InputError(path + ": expected a tokenizer file, there is " +
                     (fs::exists(path, error) ? "something else" : "none"));
  }
  std::ifstream file(path, std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file) throw InputError(path + ": expected a readable file, reading failed");
  if (content.empty()) throw InputError(path + ": expected a tokenizer, the file is empty");
  return content;
}

// A SentencePiece model starts with the bytes 0A and a length, which no JSON object does.
bool looks_like_json(const std::string& content) {
  const std::size_t first = content.find_first_not_of(" \t\r\n");
  return first != std::string::npos && content[first] == '{';
}

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(const std::string& path) {
  const std::string content = read_file(path);
  if (looks_like_json(content)) {
    return std::make_unique<ByteLevelBpe>(read_tokenizer_json(content, path), path);
  }
  return std::make_unique<SentencePiece>(content, path);
}

std::optional<std::string> find_tokenizer(const std::string& model_dir) {
  for (const char* name : {"tokenizer.model", "tokenizer.json"}) {
    const fs::path path = fs::path(model_dir) / name;
    std::error_code error;
    if (fs::is_regular_file(path, error)) return path.string();
  }
  return std::nullopt;
}

}  // namespace simba
