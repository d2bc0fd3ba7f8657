// Unicode Normalization Form C (UAX #15), by utf8proc, as Hugging Face's `tokenizers` computes it.
// Its tables are those of Unicode 9.0: a combining mark younger than that is neither reordered nor
// composed, and here it is not either.
#pragma once

#include <string>
#include <string_view>

namespace simba {

// The normalized text: `text` itself where it is normalized already, otherwise a view of `storage`.
// The text must be valid UTF-8.
std::string_view nfc(std::string_view text, std::string& storage);

}  // namespace simba
