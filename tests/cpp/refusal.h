// Says whether an input is refused as every input must be: by an InputError of one line.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "csrc/input_error.h"

namespace simba::test {

// Another exception than InputError fails the test by itself.
template <typename Read>
::testing::AssertionResult refuses(const std::string& words, Read&& read) {
  try {
    read();
  } catch (const InputError& error) {
    const std::string text = error.what();
    if (text.find('\n') != std::string::npos) {
      return ::testing::AssertionFailure() << "more than one line: " << text;
    }
    if (text.find(words) == std::string::npos) {
      return ::testing::AssertionFailure() << "expected '" << words << "' in: " << text;
    }
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure() << "accepted, expected a refusal with: " << words;
}

}  // namespace simba::test
