#include "native/recon/plan.h"

#include "native/recon/fbp_fourier.h"

namespace sino {

namespace {

template <typename T>
int64_t bytes_of(const std::vector<T>& table) {
  return static_cast<int64_t>(table.size() * sizeof(T));
}

int64_t bytes_of(const FilterPlan& p) {
  return bytes_of(p.response) + bytes_of(p.ray_weights) + bytes_of(p.view_weights);
}

int64_t bytes_of(const FbpPlan& p) { return bytes_of(p.filter) + bytes_of(p.geometry.poses); }

int64_t bytes_of(const RebinnedPlan& p) {
  int64_t bytes = bytes_of(p.fbp) + bytes_of(p.rebin.shares) + bytes_of(p.rebin.row_of);
  for (const RebinHalf& half : p.rebin.halves) bytes += bytes_of(half.weights);
  return bytes;
}

int64_t bytes_of(const FourierPlan& p) {
  int64_t bytes = bytes_of(p.lines) + bytes_of(p.sample_weights) + bytes_of(p.edge_weights) +
                  bytes_of(p.filter.ray_weights) + bytes_of(p.filter.response);
  for (const auto& colour : p.tiles)
    for (const auto& tile : colour) bytes += bytes_of(tile);
  return bytes;
}

}  // namespace

// Held by its pointer: what a job was given stays where it is.
template <typename Pointer, typename Make>
auto& Plan::made(Pointer& table, const Make& make) {
  std::lock_guard lock(mutex_);
  if (!table) {
    Pointer fresh = make();
    const int64_t bytes = bytes_of(*fresh);
    memory_.reserve(bytes);
    reserved_ += bytes;
    table = std::move(fresh);
  }
  return *table;
}

const FbpPlan& Plan::fbp() {
  return made(fbp_, [&] { return std::make_unique<FbpPlan>(fbp_plan(geometry, options)); });
}

const RebinnedPlan& Plan::rebinned() {
  return made(rebinned_, [&] { return std::make_unique<RebinnedPlan>(rebinned_plan(geometry, options)); });
}

const FourierPlan& Plan::fourier() {
  return made(fourier_, [&] { return fourier_plan(geometry, {}); });
}

const FourierPlan& Plan::fbp_fourier() {
  const FbpPlan& filter = fbp();
  return made(fbp_fourier_, [&] { return fbp_fourier_plan(filter); });
}

}  // namespace sino
