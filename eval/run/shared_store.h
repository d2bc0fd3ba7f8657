// A c10d::TCPStore as the processes of one run use it: numbers, texts and queues of texts by name.
//
// An object is one connection, to be used by one thread at a time: a call that waits keeps it busy.
// Every call throws std::runtime_error where the store does not answer.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "eval/run/process_place.h"

namespace simba::eval {

class SharedStore {
 public:
  // Serves the store, or connects to it; waits `limit` for it to appear.
  SharedStore(const ProcessPlace& place, std::chrono::milliseconds limit);
  ~SharedStore();
  SharedStore(const SharedStore&) = delete;
  SharedStore& operator=(const SharedStore&) = delete;

  std::unique_ptr<SharedStore> another_connection() const;
  // How long a call waits for what another process is to bring; at first, for a day.
  void wait_at_most(std::chrono::milliseconds limit);

  // Adds to a number that begins as 0, and returns it.
  std::int64_t add(const std::string& name, std::int64_t amount);

  // A text of any length, set once. read() waits for it.
  void write(const std::string& name, const std::string& text);
  std::string read(const std::string& name);

  // First in, first out, from any number of processes to one object's pop(), which waits.
  void push(const std::string& queue, const std::string& text);
  std::string pop(const std::string& queue);

 private:
  struct Connection;
  explicit SharedStore(std::unique_ptr<Connection> connection);

  std::unique_ptr<Connection> connection_;
  std::map<std::string, std::int64_t> popped_;  // by queue
};

}  // namespace simba::eval
