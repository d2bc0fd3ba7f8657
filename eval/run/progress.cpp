#include "eval/run/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "eval/text/table.h"

namespace simba::eval {
namespace {

std::string clock_text(double seconds) {
  const auto total = static_cast<long long>(std::llround(seconds));
  char text[40];
  if (total >= 3600) {
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", total / 3600, total / 60 % 60,
                  total % 60);
  } else {
    std::snprintf(text, sizeof text, "%lld:%02lld", total / 60, total % 60);
  }
  return text;
}

int terminal_width() {
  winsize size = {};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

}  // namespace

std::string progress_line(const std::string& done, double fraction, double elapsed_seconds,
                          const std::string& doing, int width) {
  std::string line =
      done + "  " + fixed(100 * fraction, 1) + " %  elapsed " + clock_text(elapsed_seconds);
  if (fraction > 0) {
    line += "  left " + clock_text(elapsed_seconds * (1 - fraction) / fraction);
  }
  line += "  " + doing;
  return line.substr(0, static_cast<std::size_t>(std::max(width, 0)));
}

Progress::Progress(double total, bool live) : total_(total), live_(live) {}

Progress::~Progress() {
  if (drawn_) std::fputs("\r\x1b[K", stderr);
}

void Progress::show(const std::string& done, const std::string& doing) {
  const auto now = Clock::now();
  if (!live_ || now < next_draw_) return;
  next_draw_ = now + std::chrono::milliseconds(100);
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  // One column less than the terminal has: a full line would wrap.
  const std::string line =
      progress_line(done, work_ / total_, elapsed, doing, terminal_width() - 1);
  std::fprintf(stderr, "\r\x1b[K%s", line.c_str());
  std::fflush(stderr);
  drawn_ = true;
}

void clear_progress() {
  if (stderr_is_terminal()) std::fputs("\r\x1b[K", stderr);
}

bool stderr_is_terminal() { return isatty(STDERR_FILENO) == 1; }

}  // namespace simba::eval
