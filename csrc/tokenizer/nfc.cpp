#include "csrc/tokenizer/nfc.h"

#include <utf8proc.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "csrc/tokenizer/utf8.h"

namespace simba {
namespace {

enum class Nfc : std::uint8_t {
  kStable,  // a starter that NFC leaves alone unless something composes onto it
  kYoung,   // unknown to Unicode 9.0: stays where it is and nothing passes it
  kActive,  // may be reordered, replaced or composed with what stands before it
};

struct Range {
  char32_t first, last;
};

// Characters of Unicode 10 to 15 with a combining class, and the one (U+11930) that composes with
// what stands before it.
constexpr Range kYoungMarks[] = {
    {0x07FD, 0x07FD},   {0x0898, 0x089F},   {0x08CA, 0x08D3},   {0x09FE, 0x09FE},
    {0x0C3C, 0x0C3C},   {0x0D3B, 0x0D3C},   {0x0EBA, 0x0EBA},   {0x1715, 0x1715},
    {0x1ABF, 0x1ACE},   {0x1DF6, 0x1DFA},   {0xA82C, 0xA82C},   {0x10D24, 0x10D27},
    {0x10EAB, 0x10EAC}, {0x10EFD, 0x10EFF}, {0x10F46, 0x10F50}, {0x10F82, 0x10F85},
    {0x11070, 0x11070}, {0x1133B, 0x1133B}, {0x1145E, 0x1145E}, {0x11839, 0x1183A},
    {0x11930, 0x11930}, {0x1193D, 0x1193E}, {0x11943, 0x11943}, {0x119E0, 0x119E0},
    {0x11A34, 0x11A34}, {0x11A47, 0x11A47}, {0x11A99, 0x11A99}, {0x11D42, 0x11D42},
    {0x11D44, 0x11D45}, {0x11D97, 0x11D97}, {0x11F41, 0x11F42}, {0x16FF0, 0x16FF1},
    {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136}, {0x1E2AE, 0x1E2AE}, {0x1E2EC, 0x1E2EF},
    {0x1E4EC, 0x1E4EF}};

void append_composed(std::string_view text, std::string& out) {
  utf8proc_uint8_t* composed = nullptr;
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &composed,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(composed, &std::free);
  // The text is valid UTF-8, so running out of memory is all that can go wrong.
  if (size < 0) throw std::bad_alloc();
  out.append(reinterpret_cast<const char*>(composed), static_cast<std::size_t>(size));
}

// Every character of the canonical decomposition of c, in full.
std::vector<utf8proc_int32_t> decomposition(utf8proc_int32_t c) {
  std::array<utf8proc_int32_t, 8> buffer;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
  const auto size = utf8proc_decompose_char(c, buffer.data(), buffer.size(), options, nullptr);
  return {buffer.begin(), buffer.begin() + size};
}

std::vector<Nfc> make_table() {
  std::vector<Nfc> table(0x110000, Nfc::kStable);
  std::vector<utf8proc_int32_t> composites;
  std::string single, composed;
  for (utf8proc_int32_t c = 0x300; c < 0x110000; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    if (utf8proc_get_property(c)->combining_class != 0) table[c] = Nfc::kActive;
    const std::vector<utf8proc_int32_t> parts = decomposition(c);
    if (parts.size() == 1 && parts[0] == c) continue;
    for (std::size_t i = 1; i < parts.size(); ++i) table[parts[i]] = Nfc::kActive;
    composites.push_back(c);
    single.clear();
    composed.clear();
    append_utf8(static_cast<char32_t>(c), single);
    append_composed(single, composed);
    if (composed != single) table[c] = Nfc::kActive;
  }
  for (const utf8proc_int32_t c : composites) {
    if (table[decomposition(c)[0]] == Nfc::kActive) table[c] = Nfc::kActive;
  }
  for (const Range& range : kYoungMarks) {
    for (char32_t c = range.first; c <= range.last; ++c) table[c] = Nfc::kYoung;
  }
  return table;
}

const std::vector<Nfc>& table() {
  static const std::vector<Nfc> table = make_table();
  return table;
}

// Below U+0300, whose encodings start with smaller bytes, everything is stable.
bool leads_below_0300(char byte) { return static_cast<unsigned char>(byte) < 0xCC; }

}  // namespace

std::string_view nfc(std::string_view text, std::string& storage) {
  const std::vector<Nfc>& kinds = table();
  storage.clear();
  std::size_t copied = 0;
  std::size_t run = 0;  // where a run begins if an active character comes next
  std::size_t i = 0;
  while (i < text.size()) {
    if (leads_below_0300(text[i])) {
      run = i;
      i += static_cast<unsigned char>(text[i]) < 0x80 ? 1 : 2;
      continue;
    }
    const CodePoint c = code_point_at(text, i);
    if (kinds[c.value] != Nfc::kActive) {
      run = kinds[c.value] == Nfc::kStable ? i : i + c.size;
      i += c.size;
      continue;
    }
    std::size_t end = i;
    while (end < text.size() && !leads_below_0300(text[end])) {
      const CodePoint next = code_point_at(text, end);
      if (kinds[next.value] != Nfc::kActive) break;
      end += next.size;
    }
    storage.append(text, copied, run - copied);
    append_composed(text.substr(run, end - run), storage);
    copied = i = end;
  }
  if (copied == 0) return text;
  storage.append(text, copied);
  return storage;
}

}  // namespace simba
