// The plans of one Node environment, by number, and what the operations on images and sinograms of one geometry have in common.
#pragma once

#include <map>
#include <memory>

#include "native/backend/backend.h"
#include "native/napi/arguments.h"
#include "native/recon/plan.h"

namespace sino {

class Plans {
 public:
  uint64_t add(std::shared_ptr<Plan> plan);
  void drop(uint64_t id) { plans_.erase(id); }    // jobs that use it hold it until they are done
  std::shared_ptr<Plan> find(uint64_t id) const;  // throws disposed

 private:
  std::map<uint64_t, std::shared_ptr<Plan>> plans_;
  uint64_t next_ = 1;
};

// The plan named by "plan", or one for this call from "geometry", "filter" and "cutoff".
std::shared_ptr<Plan> plan_of(Arguments& arguments);

// Arguments of an operation from one array to another: plan, slices, and both arrays, where "images" has the image's size and
// everything else the sinogram's.
struct PlannedCall {
  PlannedCall(Arguments& arguments, const char* from, const char* to);
  std::shared_ptr<Plan> plan;
  SliceArrays arrays;
  const Geometry& geometry() const { return plan->geometry; }
  int64_t views() const { return arrays.slices * geometry().views(); }
};

}  // namespace sino
