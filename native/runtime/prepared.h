// Tables that an operation makes from its geometry alone, kept from one call to the next by whoever owns the geometry (a plan).
// An operation names its table by a type of its own; where there is nobody to keep it, it is made for the one call.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <typeindex>

namespace sino {

class Prepared {
 public:
  // The table of type T, made by `make` at the first call. Two calls at once may both make it; one of the two is kept.
  template <typename T, typename Make>
  std::shared_ptr<const T> get(const Make& make) {
    const std::type_index type(typeid(T));
    {
      std::lock_guard lock(mutex_);
      const auto found = tables_.find(type);
      if (found != tables_.end()) return std::static_pointer_cast<const T>(found->second);
    }
    std::shared_ptr<const void> made = std::make_shared<const T>(make());
    std::lock_guard lock(mutex_);
    return std::static_pointer_cast<const T>(tables_.try_emplace(type, std::move(made)).first->second);
  }

 private:
  std::mutex mutex_;
  std::map<std::type_index, std::shared_ptr<const void>> tables_;
};

template <typename T, typename Make>
std::shared_ptr<const T> prepared_table(Prepared* prepared, const Make& make) {
  return prepared ? prepared->get<T>(make) : std::make_shared<const T>(make());
}

}  // namespace sino
