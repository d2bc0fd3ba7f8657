#include "eval/tasks/encoding.h"

#include <cstddef>
#include <string>

#include "csrc/checkpoint/quote.h"
#include "csrc/input_error.h"
#include "eval/tasks/strip.h"

namespace simba::eval {
namespace {

using Ids = std::vector<std::int64_t>;

EncodedRequest split_at(const Ids& ids, std::size_t at) {
  const auto middle = ids.begin() + static_cast<std::ptrdiff_t>(std::min(at, ids.size()));
  return {Ids(ids.begin(), middle), Ids(middle, ids.end())};
}

EncodedRequest encode_pair(const Tokenizer& tokenizer, const Request& request) {
  const std::size_t end = length_without_trailing_space(request.context);
  const std::string context = request.context.substr(0, end);
  Ids context_ids = tokenizer.encode(context);
  // The trailing white space stands in the whole text either way.
  const Ids whole = tokenizer.encode(request.context + request.continuation);
  Ids continuation_ids = split_at(whole, context_ids.size()).continuation;
  return {std::move(context_ids), std::move(continuation_ids)};
}

EncodedRequest encode_without_context(const Tokenizer& tokenizer, const Request& request) {
  Ids ids = tokenizer.encode(request.continuation);
  const std::int64_t start = tokenizer.document_start();
  if (!ids.empty() && ids.front() == start) return split_at(ids, 1);
  return {{start}, std::move(ids)};
}

// Leaves the last max_length + 1 ids; the continuation alone is no longer than max_length.
void cut_to_length(EncodedRequest& request, std::int64_t max_length) {
  const auto continuation = static_cast<std::int64_t>(request.continuation.size());
  const auto room = static_cast<std::size_t>(max_length + 1 - continuation);
  if (request.context.size() <= room) return;
  request.context.erase(request.context.begin(),
                        request.context.end() - static_cast<std::ptrdiff_t>(room));
}

}  // namespace

EncodedRequest encode_request(const Tokenizer& tokenizer, const Request& request,
                              std::int64_t max_length) {
  EncodedRequest encoded = request.context.empty() ? encode_without_context(tokenizer, request)
                                                   : encode_pair(tokenizer, request);
  if (encoded.context.empty()) {
    throw InputError("expected a context with tokens, got white space alone");
  }
  if (encoded.continuation.empty()) {
    throw InputError("expected a continuation with tokens of its own after the context, got " +
                     quote(request.continuation));
  }
  const auto length = static_cast<std::int64_t>(encoded.continuation.size());
  if (length > max_length) {
    throw InputError("expected a continuation of at most " + std::to_string(max_length) +
                     " tokens (--max-length), got " + std::to_string(length));
  }
  cut_to_length(encoded, max_length);
  return encoded;
}

}  // namespace simba::eval
