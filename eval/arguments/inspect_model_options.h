// The command line of `simba-eval inspect-model`.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace simba::eval {

// As typed.
struct InspectModelOptions {
  std::string dir;
};

// Declares the options; parsing fills `options`, which must outlive it.
void add_inspect_model_options(CLI::App& command, InspectModelOptions& options);

}  // namespace simba::eval
