// --threads of the commands that compute.
#pragma once

#include <cstdint>

namespace CLI {
class App;
}

namespace simba::eval {

// Declares --threads; parsing fills `threads`, which must outlive it.
void add_threads_option(CLI::App& command, std::int64_t& threads);

}  // namespace simba::eval
