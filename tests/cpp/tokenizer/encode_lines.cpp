// Lets the Python tests drive a tokenizer: encode_lines encode|decode TOKENIZER_FILE
//   encode: reads strings, each as a line with its number of bytes, then the bytes; writes a line
//   of ids
//           for each, or "error: " and the message of the InputError.
//   decode: reads lines of ids; writes strings in the form that encode reads.
#include <cstdint>
#include <cstdio>
#include <exception>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "csrc/input_error.h"
#include "csrc/tokenizer/tokenizer.h"

namespace {

void encode(const simba::Tokenizer& tokenizer) {
  std::string line;
  while (std::getline(std::cin, line)) {
    std::string text(std::stoul(line), '\0');
    std::cin.read(text.data(), static_cast<std::streamsize>(text.size()));
    try {
      const char* separator = "";
      for (const std::int64_t id : tokenizer.encode(text)) {
        std::cout << separator << id;
        separator = " ";
      }
      std::cout << '\n';
    } catch (const simba::InputError& error) {
      std::cout << "error: " << error.what() << '\n';
    }
  }
}

void decode(const simba::Tokenizer& tokenizer) {
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream numbers(line);
    std::vector<std::int64_t> ids;
    for (std::int64_t id; numbers >> id;) ids.push_back(id);
    const std::string text = tokenizer.decode(ids);
    std::cout << text.size() << '\n' << text;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc == 3 ? argv[1] : "";
  if (mode != "encode" && mode != "decode") {
    std::fputs("usage: encode_lines encode|decode TOKENIZER_FILE\n", stderr);
    return 2;
  }
  std::ios::sync_with_stdio(false);
  try {
    const auto tokenizer = simba::load_tokenizer(argv[2]);
    mode == "encode" ? encode(*tokenizer) : decode(*tokenizer);
  } catch (const simba::InputError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
  return 0;
}
