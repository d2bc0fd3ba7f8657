#include "eval/run/heartbeat.h"

#include <gtest/gtest.h>

#include <future>

#include "tests/cpp/eval/run/free_port.h"

namespace simba::eval {
namespace {

using std::chrono::milliseconds;

const std::vector<std::string> kNames = {"first", "second", "third"};

ProcessPlace place_of(int rank, std::uint16_t port) {
  return {.rank = rank, .count = 3, .host = "127.0.0.1", .port = port};
}

// One process's store, and the heartbeat that uses it.
struct Process {
  Process(int rank, std::uint16_t port, HeartbeatPace pace)
      : store(place_of(rank, port), std::chrono::seconds(30)),
        rank(rank),
        pace(pace),
        pulse(store.another_connection()),
        last_words(store.another_connection()) {}

  void start() {
    heartbeat = std::make_unique<Heartbeat>(
        std::move(pulse), std::move(last_words), rank, kNames, pace,
        [this](const std::string& message) { lost.set_value(message); });
  }

  std::promise<std::string> lost;
  SharedStore store;
  int rank;
  HeartbeatPace pace;
  std::unique_ptr<SharedStore> pulse;
  std::unique_ptr<SharedStore> last_words;
  std::unique_ptr<Heartbeat> heartbeat;
};

TEST(Heartbeat, EverybodyLearnsWhoFellSilent) {
  const std::uint16_t port = free_port();
  const HeartbeatPace pace{milliseconds(10), milliseconds(500)};
  Process first(0, port, pace);
  Process second(1, port, pace);
  Process third(2, port, pace);
  for (Process* process : {&first, &second, &third}) process->start();
  second.heartbeat.reset();  // without a word
  const std::string words = "second has been silent";
  EXPECT_EQ(first.lost.get_future().get().find(words), 0u);
  EXPECT_EQ(third.lost.get_future().get().find(words), 0u);
}

TEST(Heartbeat, GivingUpIsToldAtOnce) {
  const std::uint16_t port = free_port();
  const HeartbeatPace pace{milliseconds(10), std::chrono::hours(1)};
  Process first(0, port, pace);
  Process second(1, port, pace);
  Process third(2, port, pace);
  for (Process* process : {&first, &second, &third}) process->start();
  third.heartbeat->give_up("third has no more disk");
  EXPECT_EQ(first.lost.get_future().get(), "third has no more disk");
  EXPECT_EQ(second.lost.get_future().get(), "third has no more disk");
}

TEST(Heartbeat, TheFirstProcessIsMissedToo) {
  const std::uint16_t port = free_port();
  const HeartbeatPace pace{milliseconds(10), milliseconds(500)};
  auto first = std::make_unique<Process>(0, port, pace);
  Process second(1, port, pace);
  first->start();
  second.start();
  first.reset();  // and the store with it
  EXPECT_NE(second.lost.get_future().get(), "");
}

TEST(Heartbeat, NobodyIsLostWhileAllBeat) {
  const std::uint16_t port = free_port();
  const HeartbeatPace pace{milliseconds(1), std::chrono::seconds(30)};
  Process first(0, port, pace);
  Process second(1, port, pace);
  Process third(2, port, pace);
  for (Process* process : {&first, &second, &third}) process->start();
  // Some rounds of everybody.
  for (const char* pulse : {"pulse/0", "pulse/1", "pulse/2"}) {
    while (first.store.add(pulse, 0) < 20) {
    }
  }
  const auto now = std::chrono::seconds(0);
  for (Process* process : {&first, &second, &third}) {
    EXPECT_EQ(process->lost.get_future().wait_for(now), std::future_status::timeout);
  }
}

}  // namespace
}  // namespace simba::eval
