#include "eval/run/interrupt.h"

#include <csignal>

namespace simba::eval {
namespace {

volatile std::sig_atomic_t interrupted = 0;

}  // namespace

void watch_interrupt() {
  struct sigaction action = {};
  action.sa_handler = [](int) { interrupted = 1; };
  // After the first signal the default action is back.
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
}

bool interrupt_requested() { return interrupted != 0; }

void check_interrupt() {
  if (interrupt_requested()) throw Interrupted();
}

}  // namespace simba::eval
