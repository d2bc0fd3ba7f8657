// simba-eval: language models that drop tokens, measured on text.
#include <c10/util/Exception.h>

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "csrc/input_error.h"
#include "eval/commands/commands.h"
#include "eval/run/command_line.h"
#include "eval/run/interrupt.h"
#include "eval/run/log.h"
#include "eval/run/run_info.h"

namespace {

constexpr int kWrongInput = 2;
constexpr int kFailed = 1;
constexpr int kInterrupted = 130;  // 128 + SIGINT, as shells report it

int fail(int code, const std::string& message) {
  simba::eval::log_error(message);
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  simba::eval::start_log();
  simba::eval::watch_interrupt();
  const std::vector<std::string> arguments(argv, argv + argc);
  CLI::App app("Evaluates language models that drop tokens (Simba) on text.", "simba-eval");
  app.set_version_flag("--version", [] {
    return "simba-eval " + simba::eval::simba_version() + " (torch " +
           simba::eval::torch_version() + ")";
  });
  app.require_subcommand(1);
  try {
    simba::eval::add_perplexity(app, simba::eval::shell_line(arguments));
    simba::eval::add_tasks(app, simba::eval::shell_line(arguments));
    simba::eval::add_sweep(app, simba::eval::shell_line(arguments));
    simba::eval::add_inspect_model(app);
    simba::eval::add_tokenize(app);
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return fail(kWrongInput, error.what());
  } catch (const simba::InputError& error) {
    return fail(kWrongInput, error.what());
  } catch (const simba::eval::Interrupted& error) {
    if (error.kept().empty()) return fail(kInterrupted, error.what());
    return fail(kInterrupted, std::string(error.what()) + ": " + error.kept() +
                                  "; to go on: " + simba::eval::resuming_line(arguments));
  } catch (const c10::Error& error) {
    return fail(kFailed, error.what_without_backtrace());
  } catch (const std::exception& error) {
    return fail(kFailed, error.what());
  }
  return 0;
}
