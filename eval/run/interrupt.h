// Ctrl-C: the first one asks the run to stop at the next safe point, a second one kills it.
#pragma once

#include <exception>
#include <string>
#include <utility>

namespace simba::eval {

class Interrupted : public std::exception {
 public:
  // kept: what the run leaves for --resume to go on from, as a clause; empty for nothing.
  explicit Interrupted(std::string kept = {}) : kept_(std::move(kept)) {}

  const char* what() const noexcept override { return "interrupted"; }
  const std::string& kept() const { return kept_; }

 private:
  std::string kept_;
};

// Installs the handler of SIGINT.
void watch_interrupt();

// Whether SIGINT has come.
bool interrupt_requested();

// Throws Interrupted once SIGINT has come.
void check_interrupt();

}  // namespace simba::eval
