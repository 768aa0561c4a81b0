// What a routine calls: the operations that a device must have for it. Each routine of native/recon says so beside its function.
#pragma once

#include <functional>
#include <vector>

#include "native/backend/backend.h"

namespace sino {

class Needs {
 public:
  template <typename... Args>
  explicit Needs(Operation<Args> Backend::*... operations)
      : has_{[=](const Backend& backend) { return bool(backend.*operations); }...} {}

  Needs operator+(const Needs& others) const {
    Needs both = *this;
    both.has_.insert(both.has_.end(), others.has_.begin(), others.has_.end());
    return both;
  }
  explicit operator bool() const { return !has_.empty(); }
  bool met_by(const Backend& backend) const {
    for (const auto& has : has_)
      if (!has(backend)) return false;
    return true;
  }

 private:
  std::vector<std::function<bool(const Backend&)>> has_;  // one each
};

}  // namespace sino
