// The byte alphabet of GPT-2: every byte is spelled as one printable character, so that a
// vocabulary is readable text (openai/gpt-2, src/encoder.py, bytes_to_unicode). Printable bytes of
// Latin-1 stand for themselves; the other 68 take U+0100, U+0101, ... in order.
#pragma once

#include <array>
#include <optional>

namespace simba {

constexpr std::array<char32_t, 256> byte_alphabet() {
  std::array<char32_t, 256> alphabet{};
  char32_t next = 0x100;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    alphabet[byte] = printable ? byte : next++;
  }
  return alphabet;
}

// The byte that a character of the alphabet stands for; nothing for any other character.
constexpr std::optional<unsigned char> byte_of(char32_t character) {
  constexpr auto inverse = [] {
    std::array<int, 0x144> bytes{};
    bytes.fill(-1);
    const auto alphabet = byte_alphabet();
    for (int byte = 0; byte < 256; ++byte) bytes[alphabet[static_cast<std::size_t>(byte)]] = byte;
    return bytes;
  }();
  if (character >= inverse.size() || inverse[character] < 0) return std::nullopt;
  return static_cast<unsigned char>(inverse[character]);
}

}  // namespace simba
