// Everything that projection and reconstruction work out from geometry and filter alone, made once for many calls: the
// filter's response and weights, rebinning tables, the Fourier plan, the devices' own tables, and working memory. Each table is
// made when first asked for and never changes; any number of jobs may use one plan at a time. A call with a plan computes
// bit for bit what it computes without.
#pragma once

#include <memory>
#include <mutex>
#include <optional>

#include "native/recon/fbp.h"
#include "native/recon/fbp_rebinned.h"
#include "native/runtime/context.h"

namespace sino {

class Plan {
 public:
  Plan(MemoryBudget& memory, Geometry geometry, FbpOptions options)
      : geometry(std::move(geometry)), options(options), memory_(memory), spare_(memory) {}
  ~Plan() { memory_.release(reserved_); }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  const Geometry geometry;
  const FbpOptions options;
  Prepared prepared;  // of `geometry`

  const FbpPlan& fbp();
  const RebinnedPlan& rebinned();
  const FourierPlan& fourier();      // projection and transpose
  const FourierPlan& fbp_fourier();  // the transpose that reconstructs

  // The job's context, with the plan's working memory, which is the host's.
  Context context(const Context& job) { return {job.pool, job.memory, job.job, &spare_, job.device, job.space}; }

 private:
  template <typename Pointer, typename Make>
  auto& made(Pointer& table, const Make& make);

  MemoryBudget& memory_;
  SpareMemory spare_;
  std::mutex mutex_;
  int64_t reserved_ = 0;
  std::unique_ptr<FbpPlan> fbp_;
  std::unique_ptr<RebinnedPlan> rebinned_;
  std::shared_ptr<const FourierPlan> fourier_, fbp_fourier_;
};

}  // namespace sino
