// The program's own command line, as a line to type.
#pragma once

#include <string>
#include <vector>

namespace simba::eval {

// Arguments in single quotes where a shell would take them for something else.
std::string shell_line(const std::vector<std::string>& arguments);

// The line that goes on with an interrupted run: --resume instead of --force.
std::string resuming_line(std::vector<std::string> arguments);

}  // namespace simba::eval
