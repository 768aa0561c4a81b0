// Diffusion-weighted MR, as JavaScript calls it.
#include <set>

#include "native/napi/job.h"
#include "native/recon/patch2self.h"

namespace sino {

namespace {

constexpr int64_t kMost = int64_t(1) << 40;

int64_t volumes_of(Arguments& a) { return a.integer("volumes", 1, kMostVolumes); }

Work covariance(Arguments& a, int64_t* total) {
  const int64_t volumes = volumes_of(a), voxels = *total = a.integer("voxels", 0, kMost);
  const CovarianceArgs args{volumes,
                            voxels,
                            a.input<float>("input", checked_product(volumes, voxels)),
                            a.has("where") ? a.input<uint8_t>("where", voxels) : nullptr,
                            a.output<double>("means", volumes),
                            a.output<double>("covariance", volumes * volumes)};
  return one(&Backend::covariance, args);
}

Work mix_volumes(Arguments& a, int64_t* total) {
  const int64_t volumes = volumes_of(a), outputs = a.integer("outputs", 1, kMostVolumes),
                voxels = *total = a.integer("voxels", 0, kMost);
  const MixVolumesArgs args{volumes,
                            voxels,
                            outputs,
                            a.input<float>("input", checked_product(volumes, voxels)),
                            a.input<double>("matrix", outputs * volumes),
                            a.input<double>("offsets", outputs),
                            a.output<float>("output", checked_product(outputs, voxels))};
  return one(&Backend::mix_volumes, args);
}

Work rician(Arguments& a, int64_t* total) {
  const int64_t count = *total = a.integer("count", 0, kMost);
  const double sigma = a.number("sigma");
  require(sigma >= 0 && std::isfinite(sigma), Code::out_of_range, "Expected a sigma that is finite and not negative.");
  return one(&Backend::rician,
             RicianArgs{count, sigma, a.input<float>("input", count), a.output<float>("output", count)});
}

// groups: for every volume the number of its group, or −1.
std::vector<std::vector<int64_t>> groups_of(Arguments& a, int64_t volumes) {
  const std::vector<double> numbers = a.numbers("groups");
  require(static_cast<int64_t>(numbers.size()) == volumes, Code::shape, "Expected one group for every volume.");
  std::map<int64_t, std::vector<int64_t>> members;
  for (int64_t v = 0; v < volumes; v++)
    if (numbers[v] >= 0) members[static_cast<int64_t>(numbers[v])].push_back(v);
  std::vector<std::vector<int64_t>> groups;
  for (auto& [number, group] : members)
    if (group.size() > 1) groups.push_back(std::move(group));
  return groups;
}

constexpr double kStepsOfProduct = 0.1;  // beside a sample of a ray: vectors of multiply-adds

Work patch2self(Arguments& a, int64_t* total) {
  const int64_t volumes = volumes_of(a), voxels = a.integer("voxels", 0, kMost);
  const auto groups = groups_of(a, volumes);
  *total = 2 * voxels * static_cast<int64_t>(groups.size());
  const int64_t count = checked_product(volumes, voxels);
  const float* input = a.input<float>("input", count);
  const uint8_t* where = a.has("where") ? a.input<uint8_t>("where", voxels) : nullptr;
  float* output = a.output<float>("output", count);
  double products = 0;
  for (const std::vector<int64_t>& group : groups) products += double(group.size()) * double(group.size());
  return {[=](const Context& job, const Backend& backend) -> Numbers {
            in_slabs(
                job, Patch2SelfArgs{volumes, voxels, input, where, groups, output},
                [&](const Context& context, const Patch2SelfArgs& all) { sino::patch2self(context, backend, all); });
            return {};
          },
          patch2self_needs(), kStepsOfProduct * products * double(voxels)};
}

}  // namespace

void add_dwi_operations(std::map<std::string, Reader>& readers) {
  readers["covariance"] = covariance;
  readers["mixVolumes"] = mix_volumes;
  readers["rician"] = rician;
  readers["patch2self"] = patch2self;
}

}  // namespace sino
