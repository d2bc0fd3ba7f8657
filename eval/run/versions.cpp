#include "eval/run/versions.h"

#include <torch/headeronly/version.h>

namespace simba::eval {

std::string simba_version() { return SIMBA_VERSION; }

std::string torch_version() { return TORCH_VERSION; }

}  // namespace simba::eval
