// Complaints of code that speaks of command line options, made to speak of a sweep's file.
#pragma once

#include <string>

#include "csrc/input_error.h"

namespace simba::eval {

// What `make` gives. An InputError is thrown anew behind `where`, "--match-flops" as "match-flops".
template <typename Make>
auto in_file(const std::string& where, Make&& make) {
  try {
    return make();
  } catch (const InputError& error) {
    const std::string text = error.what();
    throw InputError(where + ": " + (text.starts_with("--") ? text.substr(2) : text));
  }
}

}  // namespace simba::eval
