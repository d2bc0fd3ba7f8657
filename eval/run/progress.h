// A live line on a terminal: how much of the work is done and how long the rest will take. Silent
// where stderr is no terminal.
#pragma once

#include <chrono>
#include <string>

namespace simba::eval {

// "12/256 windows   4.7 %  elapsed 1:02  left 21:03  influence no_bias max", cut to `width` bytes
// (it is ASCII). fraction: of the work, in [0, 1]; nothing is said about the rest while it is 0.
std::string progress_line(const std::string& done, double fraction, double elapsed_seconds,
                          const std::string& doing, int width);

class Progress {
 public:
  // total: work in any unit. live: whether to draw at all.
  Progress(double total, bool live);
  // Takes the line away.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Says what runs now. Redraws at most ten times a second.
  void show(const std::string& done, const std::string& doing);
  void advance(double work) { work_ += work; }

 private:
  using Clock = std::chrono::steady_clock;

  double total_;
  bool live_;
  double work_ = 0;
  bool drawn_ = false;
  Clock::time_point start_ = Clock::now();
  Clock::time_point next_draw_ = start_;
};

// Takes away a line that some Progress may have drawn, before the program ends at once.
void clear_progress();

// Whether stderr is a terminal.
bool stderr_is_terminal();

}  // namespace simba::eval
