// Notices that a process of the run was lost. Every process counts up a number of its own in the
// shared store; the first process looks at everybody's, the others at the first one's. Whose number
// stands still for the limit is lost (killed, hung, or its host is), and so is everybody when the
// store no longer answers. Whoever notices tells the others, so that all of them end: within the
// limit and three periods.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "eval/run/shared_store.h"

namespace simba::eval {

struct HeartbeatPace {
  std::chrono::milliseconds period = std::chrono::seconds(2);
  std::chrono::milliseconds limit = std::chrono::seconds(30);
};

// SIMBA_HEARTBEAT_SECONDS is the limit (1 to 50), a fifteenth of it the period. Throws InputError.
HeartbeatPace find_heartbeat_pace();

class Heartbeat {
 public:
  // Two connections of its own; names: one per process, for messages. on_lost is called once at
  // most, from a thread of this object, and may end the program.
  Heartbeat(std::unique_ptr<SharedStore> store, std::unique_ptr<SharedStore> last_words, int rank,
            std::vector<std::string> names, HeartbeatPace pace,
            std::function<void(const std::string&)> on_lost);
  // Ends in silence: the others must know already, by give_up() or in another way.
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

  // Makes every other process end with this message. Throws std::runtime_error.
  void give_up(const std::string& message);

 private:
  using Clock = std::chrono::steady_clock;

  struct Pulse {
    std::int64_t count = 0;
    Clock::time_point changed = Clock::now();
  };

  void beat();         // the first thread: talks to the store
  void watch();        // the second: whether the first one gets an answer
  std::string look();  // one round; what was lost, or nothing
  std::string late(std::size_t rank);
  void lost(const std::string& message);
  bool stopped_after(std::chrono::milliseconds time);

  std::unique_ptr<SharedStore> store_;  // of the first thread, which may wait there
  std::unique_ptr<SharedStore> last_words_;
  std::size_t rank_;
  std::vector<std::string> names_;
  HeartbeatPace pace_;
  std::function<void(const std::string&)> on_lost_;

  std::vector<Pulse> pulses_;
  std::mutex mutex_;
  std::condition_variable stopping_;
  bool stop_ = false;
  bool lost_ = false;
  Clock::time_point answered_ = Clock::now();
  std::thread beating_;
  std::thread watching_;
};

}  // namespace simba::eval
