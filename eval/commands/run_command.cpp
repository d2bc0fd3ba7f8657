#include "eval/commands/run_command.h"

#include <c10/util/Exception.h>

#include <variant>

#include "csrc/input_error.h"
#include "eval/commands/commands.h"
#include "eval/exit_codes.h"
#include "eval/run/command_line.h"
#include "eval/run/interrupt.h"
#include "eval/run/log.h"

namespace simba::eval {
namespace {

int fail(int code, const std::string& message) {
  log_error(message);
  return code;
}

}  // namespace
}  // namespace simba::eval

int simba_eval_run_command(const simba::eval::Command& command,
                           const std::vector<std::string>& arguments) {
  using namespace simba::eval;
  start_log();
  watch_interrupt();
  try {
    std::visit([&](const auto& options) { run(options, shell_line(arguments)); }, command);
  } catch (const simba::InputError& error) {
    return fail(kWrongInput, error.what());
  } catch (const Interrupted& error) {
    if (error.kept().empty()) return fail(kInterrupted, error.what());
    return fail(kInterrupted, std::string(error.what()) + ": " + error.kept() +
                                  "; to go on: " + resuming_line(arguments));
  } catch (const c10::Error& error) {
    return fail(kFailed, error.what_without_backtrace());
  } catch (const std::exception& error) {
    return fail(kFailed, error.what());
  }
  return 0;
}
