#include <charconv>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <sstream>

#include "csrc/input_error.h"
#include "csrc/tokenizer/tokenizer.h"
#include "eval/commands/commands.h"
#include "eval/text/read_file.h"

namespace simba::eval {
namespace {

std::unique_ptr<Tokenizer> open_tokenizer(const std::string& path) {
  if (!std::filesystem::is_directory(path)) return load_tokenizer(path);
  const std::optional<std::string> inside = find_tokenizer(path);
  if (!inside) throw InputError("--tokenizer: expected a folder with a tokenizer, got " + path);
  return load_tokenizer(*inside);
}

std::string read_input(const std::string& file) {
  if (file != "-") return read_file(file);
  return {std::istreambuf_iterator<char>(std::cin), {}};
}

// The parts of the input that are encoded or decoded by themselves.
std::vector<std::string> documents(const std::string& input, bool lines) {
  if (!lines) return {input};
  std::vector<std::string> parts;
  std::istringstream stream(input);
  for (std::string line; std::getline(stream, line);) parts.push_back(line);
  return parts;
}

void encode(const Tokenizer& tokenizer, const TokenizeOptions& options, const std::string& text) {
  std::vector<std::int64_t> ids = tokenizer.encode(text);
  if (options.document_start) ids.insert(ids.begin(), tokenizer.document_start());
  std::string line;
  for (const std::int64_t id : ids) {
    if (!line.empty()) line += ' ';
    line += std::to_string(id);
  }
  std::cout << line << "\n";
}

void decode(const Tokenizer& tokenizer, const TokenizeOptions& options, const std::string& text) {
  std::vector<std::int64_t> ids;
  std::istringstream stream(text);
  for (std::string word; stream >> word;) {
    std::int64_t id = -1;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    const bool number = error == std::errc() && end == word.data() + word.size();
    if (!number || id < 0 || id >= tokenizer.vocab_size()) {
      throw InputError("--decode: expected ids in [0, " + std::to_string(tokenizer.vocab_size()) +
                       "), got '" + word + "'");
    }
    ids.push_back(id);
  }
  if (options.document_start && !ids.empty() && ids.front() == tokenizer.document_start()) {
    ids.erase(ids.begin());
  }
  std::cout << tokenizer.decode(ids);
  if (options.lines) std::cout << "\n";
}

}  // namespace

void run(const TokenizeOptions& options, const std::string& /*command_line*/) {
  const std::unique_ptr<Tokenizer> tokenizer = open_tokenizer(options.tokenizer);
  for (const std::string& document : documents(read_input(options.file), options.lines)) {
    options.decode ? decode(*tokenizer, options, document) : encode(*tokenizer, options, document);
  }
  std::cout << std::flush;
}

}  // namespace simba::eval
