// UTF-8 as the Unicode Standard defines it (chapter 3.9): no overlong forms, no surrogates, nothing
// above U+10FFFF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace simba {

// What stands at the start of a non-empty text: a valid sequence of `size` bytes, or an invalid one
// whose first `size` bytes (a maximal subpart, at least 1) are to be replaced together.
struct Utf8Sequence {
  std::size_t size;
  bool valid;
};
Utf8Sequence utf8_sequence(std::string_view text);

// Throws InputError naming the offset of the first byte that is not UTF-8.
void require_utf8(std::string_view text);

// Every maximal invalid subpart becomes U+FFFD, as in Rust's from_utf8_lossy.
std::string replace_invalid_utf8(std::string text);

void append_utf8(char32_t code_point, std::string& out);

struct CodePoint {
  char32_t value;
  std::size_t size;
};

// The code point at `begin`; the text must be valid UTF-8 and `begin` the start of a sequence.
inline CodePoint code_point_at(std::string_view text, std::size_t begin) {
  const auto byte = [&](std::size_t i) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[begin + i]));
  };
  const char32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xE0) return {(lead & 0x1F) << 6 | (byte(1) & 0x3F), 2};
  if (lead < 0xF0) return {(lead & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F), 3};
  return {(lead & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F),
          4};
}

// The code point that ends just before `end`, which must be above 0.
inline CodePoint code_point_before(std::string_view text, std::size_t end) {
  std::size_t begin = end - 1;
  while ((static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
  return code_point_at(text, begin);
}

}  // namespace simba
