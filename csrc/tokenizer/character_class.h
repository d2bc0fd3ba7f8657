// The classes of characters that regular expressions of tokenizers speak of. Categories come from
// utf8proc (Unicode 15.0 with utf8proc 2.8); White_Space and the members of \w outside the general
// categories are written out, since utf8proc does not know them.
#pragma once

#include <cstdint>

namespace simba {

enum CharacterClass : std::uint8_t {
  kLetter = 1,  // \p{L}
  kNumber = 2,  // \p{N}
  kSpace = 4,   // \s: the property White_Space
  kWord = 8,    // \w: Alphabetic, M, Nd, Pc, Join_Control (Unicode TR 18, annex C)
};

// 0x110000 entries, one per code point: the CharacterClass bits. Built on the first call.
const std::uint8_t* character_classes();

}  // namespace simba
