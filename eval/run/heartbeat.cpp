#include "eval/run/heartbeat.h"

#include <cstdlib>
#include <exception>
#include <utility>

#include "csrc/input_error.h"

namespace simba::eval {
namespace {

constexpr auto kVariable = "SIMBA_HEARTBEAT_SECONDS";
constexpr long kLongestLimit = 50;
constexpr int kPeriodsPerLimit = 15;

std::string pulse_name(std::size_t rank) { return "pulse/" + std::to_string(rank); }

std::string seconds_text(std::chrono::milliseconds time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time).count()) + " s";
}

}  // namespace

HeartbeatPace find_heartbeat_pace() {
  const char* text = std::getenv(kVariable);
  if (text == nullptr) return {};
  char* end = nullptr;
  const long seconds = std::strtol(text, &end, 10);
  if (end == text || *end != '\0' || seconds < 1 || seconds > kLongestLimit) {
    throw InputError(std::string(kVariable) + ": expected a number of seconds from 1 to " +
                     std::to_string(kLongestLimit) + ", got '" + text + "'");
  }
  const std::chrono::milliseconds limit = std::chrono::seconds(seconds);
  return {limit / kPeriodsPerLimit, limit};
}

Heartbeat::Heartbeat(std::unique_ptr<SharedStore> store, std::unique_ptr<SharedStore> last_words,
                     int rank, std::vector<std::string> names, HeartbeatPace pace,
                     std::function<void(const std::string&)> on_lost)
    : store_(std::move(store)),
      last_words_(std::move(last_words)),
      rank_(static_cast<std::size_t>(rank)),
      names_(std::move(names)),
      pace_(pace),
      on_lost_(std::move(on_lost)),
      pulses_(names_.size()),
      beating_([this] { beat(); }),
      watching_([this] { watch(); }) {}

Heartbeat::~Heartbeat() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopping_.notify_all();
  beating_.join();
  watching_.join();
}

void Heartbeat::give_up(const std::string& message) {
  if (last_words_->add("failures", 1) == 1) last_words_->write("failure", message);
}

void Heartbeat::beat() {
  do {
    std::string message;
    try {
      message = look();
    } catch (const std::exception& error) {
      message = error.what();
    }
    if (!message.empty()) {
      try {
        give_up(message);
      } catch (const std::exception&) {
        // The store is what was lost: the others notice as this process did.
      }
      // The store may end with the first process: the others need time to read why.
      if (rank_ == 0 && stopped_after(2 * pace_.period)) return;
      lost(message);
      return;
    }
    const std::lock_guard lock(mutex_);
    answered_ = Clock::now();
  } while (!stopped_after(pace_.period));
}

void Heartbeat::watch() {
  while (!stopped_after(pace_.period)) {
    std::unique_lock lock(mutex_);
    const auto silent =
        std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - answered_);
    lock.unlock();
    if (silent > pace_.limit) {
      lost("the store that the processes share has not answered for " + seconds_text(silent) +
           ": its process was stopped or its host is lost");
      return;
    }
  }
}

std::string Heartbeat::look() {
  store_->add(pulse_name(rank_), 1);
  if (store_->add("failures", 0) > 0) return store_->read("failure");
  if (rank_ > 0) return late(0);
  std::string message;
  for (std::size_t other = 1; other < names_.size() && message.empty(); ++other) {
    message = late(other);
  }
  return message;
}

std::string Heartbeat::late(std::size_t rank) {
  Pulse& pulse = pulses_[rank];
  const std::int64_t count = store_->add(pulse_name(rank), 0);
  if (count != pulse.count) pulse = {count, Clock::now()};
  const auto silent =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - pulse.changed);
  if (silent <= pace_.limit) return "";
  return names_[rank] + " has been silent for " + seconds_text(silent) +
         ": it was killed, hangs, or its host is lost";
}

void Heartbeat::lost(const std::string& message) {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(lost_, true)) return;
  }
  on_lost_(message);
}

bool Heartbeat::stopped_after(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return stopping_.wait_for(lock, time, [this] { return stop_; });
}

}  // namespace simba::eval
