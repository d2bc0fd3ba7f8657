// Where libsimba_eval.so is entered: the program loads it when it has something to compute.
#pragma once

#include <string>
#include <vector>

#include "eval/arguments/command.h"

// Runs it and returns the program's exit code. Whatever goes wrong is said on one line of stderr.
// arguments: the command line that asked for it, the program's name included.
extern "C" int simba_eval_run_command(const simba::eval::Command& command,
                                      const std::vector<std::string>& arguments);
