// A task as its TOML file describes it: where the documents are, how a prompt is made of one, what
// is measured. docs: configs/tasks/README.md.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "eval/tasks/template.h"

namespace simba::eval {

// Documents in one of the places and formats in which they may be found.
struct DocumentSource {
  std::vector<std::string> files;  // relative to the data folder; the first that is there is read
  std::string labels;              // a file beside it, a line per document: the field "label"
  std::string clean_up;            // a named step of clean_up.h
  std::string keep_field;          // only documents whose field has one of these values
  std::vector<std::string> keep_values;
  std::string note;   // shown with results made from these documents
  std::string where;  // "FILE:LINE" of the description
};

enum class Metric { kAcc, kAccNorm, kAccBytes, kPerplexity };
std::string metric_name(Metric metric);

// What is asked of the model.
enum class TaskKind {
  kChoices,   // one context, several continuations: the likeliest wins
  kContexts,  // several contexts, one continuation: the context that makes it likeliest wins
  kTarget,    // one context, one continuation: is it what the model would say?
};

// How the right choice is written in a document.
struct LabelRule {
  enum class Form {
    kIndex,   // 0, 1, ...
    kNumber,  // 1, 2, ...
    kLetter,  // A, B, ...
    kKey,     // one of the values of the list field `keys`
  };
  std::string field;
  Form form = Form::kIndex;
  std::string keys;
};

struct TaskConfig {
  std::string name;
  std::string path;
  std::string sha256;  // of the file
  std::vector<DocumentSource> documents;
  std::vector<DocumentSource> few_shot;  // may be empty

  TaskKind kind = TaskKind::kChoices;
  std::vector<Template> contexts;      // one; kContexts: one per choice
  std::vector<Template> choices;       // kChoices, unless choices_field
  std::string choices_field;           // kChoices: a list
  std::optional<Template> target;      // kContexts, kTarget: the continuation
  std::string target_delimiter = " ";  // before a choice, and before an example's answer
  std::string example_delimiter = "\n\n";
  LabelRule label;  // not for kTarget

  std::vector<Metric> metrics;
  Metric primary = Metric::kAcc;
};

// Throws InputError naming the file's line.
TaskConfig read_task_config(const std::string& path);

}  // namespace simba::eval
