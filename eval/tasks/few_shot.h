// Answered examples put before a question: question, delimiter, answer and the example delimiter of
// each, nothing after the final question (rule 7 of lm-evaluation-harness as its build_qa_turn has
// it).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "eval/tasks/document_files.h"
#include "eval/tasks/example.h"

namespace simba::eval {

enum class Sampling {
  kFirstN,  // the head of the examples' file, as lm-evaluation-harness's first_n
  kSeeded,  // drawn anew for every document, by seed and the document's place in its file
};
Sampling parse_sampling(const std::string& text);
std::string sampling_name(Sampling sampling);

class FewShot {
 public:
  // No examples: every prefix is empty.
  FewShot() = default;
  // Throws InputError where an example is wrong.
  FewShot(const TaskConfig& task, const DocumentFile& pool, std::int64_t shots, Sampling sampling,
          std::int64_t seed);

  // What stands before the question. `number`: its place among the task's documents. A question is
  // never its own example. Throws InputError where there are fewer than `shots` others.
  std::string prefix(const Example& question, std::size_t number) const;

 private:
  struct Answered {
    std::string where;
    std::string text;
  };

  std::vector<Answered> pool_;
  std::size_t shots_ = 0;
  Sampling sampling_ = Sampling::kFirstN;
  std::uint64_t seed_ = 0;
};

}  // namespace simba::eval
