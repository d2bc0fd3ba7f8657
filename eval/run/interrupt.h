// Ctrl-C: the first one asks the run to stop at the next safe point, a second one kills it.
#pragma once

#include <exception>

namespace simba::eval {

struct Interrupted : std::exception {
  const char* what() const noexcept override { return "interrupted"; }
};

// Installs the handler of SIGINT.
void watch_interrupt();

// Throws Interrupted once SIGINT has come.
void check_interrupt();

}  // namespace simba::eval
