// The one exception for what a user got wrong: a file, an argument, a value. Its text is a single
// line that names the thing, what was expected and what came. Programs print it and exit with
// code 2.
#pragma once

#include <stdexcept>

namespace simba {

struct InputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace simba
