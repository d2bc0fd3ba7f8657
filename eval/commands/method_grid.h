// The methods that the options of a command line ask for.
#pragma once

#include "eval/arguments/method_options.h"
#include "eval/methods.h"

namespace simba::eval {

// Throws InputError naming the first option that is wrong.
MethodGrid method_grid(const MethodOptions& options);

}  // namespace simba::eval
