// The JSON header of a safetensors file, read as a stream: no document tree is built, so that
// memory stays in proportion to the tensors named (format: README of the safetensors repository,
// "Format").
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace simba {

struct SafetensorsEntry {
  std::string name;
  std::string dtype;                // "F32", "BF16", ...
  std::vector<std::int64_t> shape;  // each >= 0
  std::uint64_t begin = 0;          // bytes, from the end of the header
  std::uint64_t end = 0;
};

// The entries in the header's order; __metadata__ is checked and left out. `file` begins every
// error. Throws InputError on invalid JSON or UTF-8, duplicate, missing or unknown keys and wrong
// types. What the numbers say is checked by read_safetensors().
std::vector<SafetensorsEntry> parse_safetensors_header(std::string_view header,
                                                       const std::string& file);

}  // namespace simba
