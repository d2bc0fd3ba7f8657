// The options that say where a run leaves its files, shared by commands.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace simba::eval {

// Declares --out, --force and --resume; parsing fills the arguments, which must outlive it.
void add_output_options(CLI::App& command, std::string& out, bool& force, bool& resume);

}  // namespace simba::eval
