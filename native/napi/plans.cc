#include "native/napi/plans.h"

#include <cstring>

#include "native/napi/options.h"

namespace sino {

uint64_t Plans::add(std::shared_ptr<Plan> plan) {
  plans_[next_] = std::move(plan);
  return next_++;
}

std::shared_ptr<Plan> Plans::find(uint64_t id) const {
  const auto found = plans_.find(id);
  require(found != plans_.end(), Code::disposed, "The plan was disposed; make another one with createPlan.");
  return found->second;
}

std::shared_ptr<Plan> plan_of(Arguments& a) {
  if (a.plans && a.has("plan")) return a.plans->find(static_cast<uint64_t>(a.integer("plan", 0, int64_t(1) << 52)));
  const FbpOptions options = a.has("filter") ? fbp_options(a) : FbpOptions();
  return std::make_shared<Plan>(a.memory, a.geometry("geometry"), options);
}

namespace {
int64_t size_of(const char* name, const Geometry& g) {
  return std::strcmp(name, "images") == 0 ? g.grid.pixels() : g.rays();
}
}  // namespace

PlannedCall::PlannedCall(Arguments& a, const char* from, const char* to) : plan(plan_of(a)), arrays{} {
  arrays.slices = slices_of(a);
  arrays.input_size = size_of(from, geometry());
  arrays.output_size = size_of(to, geometry());
  arrays.input = a.input<float>(from, checked_product(arrays.slices, arrays.input_size));
  arrays.output = a.output<float>(to, checked_product(arrays.slices, arrays.output_size));
}

}  // namespace sino
