// simba-eval: language models that drop tokens, measured on text.
#include <c10/util/Exception.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "csrc/input_error.h"
#include "eval/commands/commands.h"
#include "eval/run/interrupt.h"
#include "eval/run/log.h"
#include "eval/run/run_info.h"

namespace {

constexpr int kWrongInput = 2;
constexpr int kFailed = 1;
constexpr int kInterrupted = 130;  // 128 + SIGINT, as shells report it

int fail(int code, std::string message) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  std::cerr << "simba-eval: error: " << message << std::endl;
  return code;
}

std::string joined(int argc, char** argv) {
  std::string line;
  for (int i = 0; i < argc; ++i) line += (i > 0 ? " " : "") + std::string(argv[i]);
  return line;
}

}  // namespace

int main(int argc, char** argv) {
  simba::eval::start_log();
  simba::eval::watch_interrupt();
  CLI::App app("Evaluates language models that drop tokens (Simba) on text.", "simba-eval");
  app.set_version_flag("--version", [] {
    return "simba-eval " + simba::eval::simba_version() + " (torch " +
           simba::eval::torch_version() + ")";
  });
  app.require_subcommand(1);
  try {
    simba::eval::add_perplexity(app, joined(argc, argv));
    simba::eval::add_inspect_model(app);
    simba::eval::add_tokenize(app);
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return fail(kWrongInput, error.what());
  } catch (const simba::InputError& error) {
    return fail(kWrongInput, error.what());
  } catch (const simba::eval::Interrupted& error) {
    return fail(kInterrupted, error.what());
  } catch (const c10::Error& error) {
    return fail(kFailed, error.what_without_backtrace());
  } catch (const std::exception& error) {
    return fail(kFailed, error.what());
  }
  return 0;
}
