// The options that say which methods are run, shared by commands.
#pragma once

#include <cstdint>
#include <string>

namespace CLI {
class App;
}

namespace simba::eval {

// As typed.
struct MethodOptions {
  std::string retention = "1,0.1";
  std::string criterion = "influence";
  std::string decay = "no_bias";
  std::string reduction = "max";
  std::string schedule = "linear";
  std::int64_t seed = 0;
  bool match_flops = false;
};

// Declares them; parsing fills `options`, which must outlive it.
void add_method_options(CLI::App& command, MethodOptions& options);

}  // namespace simba::eval
