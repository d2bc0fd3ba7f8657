// What a sweep reads: its tasks' questions and its books, as ids of each model's tokenizer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "eval/perplexity/books.h"
#include "eval/sweep/found_model.h"
#include "eval/tasks/encoded_task.h"

namespace simba::eval {

// The texts, read once for all models.
class SweepTexts {
 public:
  // data: the folder of --data; limit: at most so many documents of each task. Throws InputError
  // naming the sweep's line and what is wrong, with file and line, on an unknown task or anything
  // wrong in the data. Without data (empty), for a plan alone, only the tasks' files are read.
  SweepTexts(const SweepConfig& config, const std::string& data, const std::string& task_folder,
             std::optional<std::int64_t> limit);

  bool has_data() const { return !data_.empty(); }
  const std::vector<TaskPrompts>& tasks() const { return tasks_; }

  // Tasks whose ids another model's tokenizer gave are not encoded again. Throws InputError where a
  // text cannot be encoded or the model has too few rows.
  EncodedTask encode(std::size_t task, const FoundModel& model);
  std::vector<Book> books(const FoundModel& model);

 private:
  struct Tokens {
    std::unique_ptr<Tokenizer> tokenizer;
    std::map<std::pair<std::size_t, std::int64_t>, EncodedTask> tasks;  // by task and vocabulary
    std::vector<Book> books;
  };
  Tokens& tokens_of(const FoundModel& model);

  const SweepConfig& config_;
  std::string data_;
  std::vector<TaskPrompts> tasks_;
  std::map<std::string, Tokens> tokens_;       // by the tokenizer file's hash
  std::map<std::string, std::string> hashes_;  // of tokenizer files
};

// A task of nominal length, for plans where its questions or a tokenizer are not at hand.
struct NominalLength {
  static constexpr std::int64_t kDocuments = 1000;  // unless their number is known
  static constexpr std::int64_t kContext = 100;     // tokens, as often again for each example
  static constexpr std::int64_t kChoices = 4;
  static constexpr std::int64_t kContinuation = 6;  // tokens of a choice
};
EncodedTask nominal_task(TaskPrompts prompts, std::int64_t max_length);

}  // namespace simba::eval
