// The command line of `simba-eval tokenize`.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace simba::eval {

// As typed.
struct TokenizeOptions {
  std::string tokenizer;
  std::string file = "-";
  bool decode = false;
  bool lines = false;
  bool document_start = false;
};

// Declares the options; parsing fills `options`, which must outlive it.
void add_tokenize_options(CLI::App& command, TokenizeOptions& options);

}  // namespace simba::eval
