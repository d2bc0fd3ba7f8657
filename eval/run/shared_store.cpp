#include "eval/run/shared_store.h"

#include <c10/util/Exception.h>
#include <c10/util/Logging.h>

#include <stdexcept>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <utility>
#include <vector>

namespace simba::eval {
namespace {

using Milliseconds = std::chrono::milliseconds;

// The store takes no more than 8 MiB at once.
constexpr std::size_t kPiece = std::size_t{1} << 20;
constexpr Milliseconds kDay = std::chrono::hours(24);

std::vector<std::uint8_t> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

std::string text_of(const std::vector<std::uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

std::string piece_name(const std::string& name, std::size_t piece) {
  return name + "/" + std::to_string(piece);
}

// c10d would print each of its errors with a backtrace, and then throw it.
constexpr int kNoLog = 3;

template <typename Call>
auto one_line_errors(Call&& call) {
  try {
    return call();
  } catch (const c10::Error& error) {
    throw std::runtime_error("the store that the processes share does not answer: " +
                             std::string(error.what_without_backtrace()));
  }
}

}  // namespace

struct SharedStore::Connection {
  c10::intrusive_ptr<c10d::Store> store;
};

SharedStore::SharedStore(const ProcessPlace& place, Milliseconds limit)
    : connection_(std::make_unique<Connection>()) {
  FLAGS_caffe2_log_level = kNoLog;
  c10d::TCPStoreOptions options;
  options.port = place.port;
  options.isServer = place.is_first() && !place.store_is_served;
  options.waitWorkers = false;
  options.timeout = limit;
  one_line_errors([&] {
    connection_->store = c10::make_intrusive<c10d::PrefixStore>(
        "simba-eval/" + place.run, c10::make_intrusive<c10d::TCPStore>(place.host, options));
  });
  wait_at_most(kDay);
}

SharedStore::SharedStore(std::unique_ptr<Connection> connection)
    : connection_(std::move(connection)) {}

SharedStore::~SharedStore() = default;

std::unique_ptr<SharedStore> SharedStore::another_connection() const {
  auto connection = std::make_unique<Connection>();
  one_line_errors([&] { connection->store = connection_->store->clone(); });
  std::unique_ptr<SharedStore> store(new SharedStore(std::move(connection)));
  store->wait_at_most(kDay);
  return store;
}

void SharedStore::wait_at_most(Milliseconds limit) { connection_->store->setTimeout(limit); }

std::int64_t SharedStore::add(const std::string& name, std::int64_t amount) {
  return one_line_errors([&] { return connection_->store->add(name, amount); });
}

void SharedStore::write(const std::string& name, const std::string& text) {
  one_line_errors([&] {
    const std::size_t pieces = text.size() / kPiece + 1;
    for (std::size_t i = 0; i < pieces; ++i) {
      connection_->store->set(piece_name(name, i), bytes_of(text.substr(i * kPiece, kPiece)));
    }
    // Last: who finds the number finds the pieces.
    connection_->store->set(name, bytes_of(std::to_string(pieces)));
  });
}

std::string SharedStore::read(const std::string& name) {
  return one_line_errors([&] {
    const std::size_t pieces = std::stoul(text_of(connection_->store->get(name)));
    std::string text;
    for (std::size_t i = 0; i < pieces; ++i) {
      text += text_of(connection_->store->get(piece_name(name, i)));
    }
    return text;
  });
}

void SharedStore::push(const std::string& queue, const std::string& text) {
  write(queue + "/" + std::to_string(add(queue, 1)), text);
}

std::string SharedStore::pop(const std::string& queue) {
  const std::string name = queue + "/" + std::to_string(++popped_[queue]);
  std::string text = read(name);
  one_line_errors([&] {
    const std::size_t pieces = text.size() / kPiece + 1;
    for (std::size_t i = 0; i < pieces; ++i) connection_->store->deleteKey(piece_name(name, i));
    connection_->store->deleteKey(name);
  });
  return text;
}

}  // namespace simba::eval
