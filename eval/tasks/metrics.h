// From log-likelihoods to accuracies and perplexity, as lm-evaluation-harness defines them (0.4.13,
// api/task.py, process_results).
#pragma once

#include <optional>
#include <vector>

#include "eval/tasks/example.h"

namespace simba::eval {

// Of one continuation after its context.
struct ContinuationScore {
  double log_likelihood = 0;  // in nats, summed over its tokens
  bool greedy = true;         // whether every token is the likeliest of all rows of the head
};

// The choice that a metric prefers: the largest log-likelihood (acc), per code point of the
// choice's text (acc_norm) or per byte of it (acc_bytes), without the delimiter, nothing stripped.
// The first of equals; what is not a number beats everything, as numpy's argmax has it.
std::size_t predicted_choice(Metric metric, const Example& example,
                             const std::vector<ContinuationScore>& scores);

// What a metric averages over documents: 1 or 0 for an accuracy, the target's log-likelihood for
// perplexity. The accuracy of a task with one target: whether it is greedy.
double document_value(Metric metric, const TaskConfig& task, const Example& example,
                      const std::vector<ContinuationScore>& scores);

struct MetricValue {
  double value;
  std::optional<double> standard_error;  // none of a single document
};

// An accuracy: mean, and sample standard deviation / sqrt(n). Perplexity: exp(-mean) and, to first
// order, its standard error from that of the mean.
MetricValue summarize_metric(Metric metric, const std::vector<double>& values);

// Code points.
std::size_t character_count(const std::string& text);

}  // namespace simba::eval
