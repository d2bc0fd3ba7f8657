// Of this program and of the LibTorch that it was built with.
#pragma once

#include <string>

namespace simba::eval {

std::string simba_version();
std::string torch_version();

}  // namespace simba::eval
