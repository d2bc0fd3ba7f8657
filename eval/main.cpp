// simba-eval: language models that drop tokens, measured on text. This is the program's front,
// which reads the command line. Loading LibTorch takes a third of a second, so what computes is a
// library that is loaded when there is something to compute.
#include <dlfcn.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "csrc/model/order_of_sums.h"
#include "eval/arguments/command.h"
#include "eval/commands/run_command.h"
#include "eval/exit_codes.h"
#include "eval/run/log.h"
#include "eval/run/versions.h"

namespace {

using namespace simba::eval;

int fail(int code, const std::string& message) {
  start_log();
  log_error(message);
  return code;
}

// The exit code of a command that ended with `code`, once what it printed has arrived.
int flushed(int code) {
  std::cout << std::flush;
  if (code != 0 || std::cout) return code;
  return fail(kFailed, "standard output cannot be written");
}

int run(const Command& command, const std::vector<std::string>& arguments) {
  simba::fix_order_of_sums();
  void* library = dlopen("libsimba_eval.so", RTLD_NOW);
  if (library == nullptr) return fail(kFailed, dlerror());
  const auto run_command =
      reinterpret_cast<decltype(&simba_eval_run_command)>(dlsym(library, "simba_eval_run_command"));
  if (run_command == nullptr) return fail(kFailed, dlerror());
  return run_command(command, arguments);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Evaluates language models that drop tokens (Simba) on text.", "simba-eval");
  app.set_version_flag("--version", [] {
    return "simba-eval " + simba_version() + " (torch " + torch_version() + ")";
  });
  app.require_subcommand(1);
  Command command;
  add_commands(app, command);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return flushed(app.exit(error));
    return fail(kWrongInput, error.what());
  }
  const int code = flushed(run(command, {argv, argv + argc}));
  // Without static destructors: LibTorch takes its operators apart one by one, for 0.13 s.
  std::quick_exit(code);
}
