#include "eval/run/shared_store.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "tests/cpp/eval/run/free_port.h"

namespace simba::eval {
namespace {

constexpr std::chrono::milliseconds kLimit = std::chrono::seconds(30);

ProcessPlace place_of(int rank, std::uint16_t port) {
  return {.rank = rank, .count = 2, .host = "127.0.0.1", .port = port};
}

class SharedStoreTest : public testing::Test {
 protected:
  std::uint16_t port_ = free_port();
  SharedStore server_{place_of(0, port_), kLimit};
  SharedStore client_{place_of(1, port_), kLimit};
};

TEST_F(SharedStoreTest, Counts) {
  EXPECT_EQ(server_.add("n", 1), 1);
  EXPECT_EQ(client_.add("n", 2), 3);
  EXPECT_EQ(client_.another_connection()->add("n", 0), 3);
}

TEST_F(SharedStoreTest, CarriesTextsOfAnySize) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{1} << 20, (std::size_t{12} << 20) + 5}) {
    const std::string name = "text " + std::to_string(size);
    std::string text(size, 'a');
    if (size > 0) text.back() = '\0';
    client_.write(name, text);
    EXPECT_TRUE(server_.read(name) == text) << size;
    EXPECT_TRUE(server_.read(name) == text) << "a second time";
    client_.push("queue", text);
    EXPECT_TRUE(server_.pop("queue") == text) << size;
  }
}

TEST_F(SharedStoreTest, AQueueKeepsItsOrder) {
  client_.push("queue", "a");
  client_.push("queue", "b");
  server_.push("queue", "c");
  for (const char* next : {"a", "b", "c"}) EXPECT_EQ(server_.pop("queue"), next);
}

TEST_F(SharedStoreTest, ReadersWait) {
  std::string read;
  std::string popped;
  std::thread reader([&] {
    read = client_.read("later");
    popped = client_.pop("queue");
  });
  server_.write("later", "text");
  server_.push("queue", "item");
  reader.join();
  EXPECT_EQ(read, "text");
  EXPECT_EQ(popped, "item");
}

TEST_F(SharedStoreTest, WhatNeverComesIsAnErrorOfOneLine) {
  client_.wait_at_most(std::chrono::milliseconds(20));
  try {
    client_.read("never");
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace simba::eval
