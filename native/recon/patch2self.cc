#include "native/recon/patch2self.h"

#include <cmath>

namespace sino {

namespace {

// Volumes that repeat each other leave the covariance singular: so much of its mean variance is added to the diagonal.
constexpr double kRidge = 1e-9;

// The inverse of a positive definite matrix, by its Cholesky factor L: L·Lᵀ = C, so C⁻¹ = L⁻ᵀ·L⁻¹.
std::vector<double> inverse(const Context& context, std::vector<double> c, int64_t n) {
  double trace = 0;
  for (int64_t i = 0; i < n; i++) trace += c[i * n + i];
  const double ridge = trace > 0 ? kRidge * trace / double(n) : 1;
  for (int64_t i = 0; i < n; i++) {
    context.check();
    for (int64_t j = 0; j <= i; j++) {
      double sum = c[i * n + j] + (i == j ? ridge : 0);
      for (int64_t k = 0; k < j; k++) sum -= c[i * n + k] * c[j * n + k];
      c[i * n + j] = i == j ? std::sqrt(std::fmax(sum, ridge)) : sum / c[j * n + j];
    }
  }
  std::vector<double> lower(n * n, 0.0), result(n * n);  // lower: L⁻¹ by columns of L, as rows
  for (int64_t j = 0; j < n; j++) {
    context.check();
    for (int64_t i = j; i < n; i++) {
      double sum = i == j ? 1 : 0;
      for (int64_t k = j; k < i; k++) sum -= c[i * n + k] * lower[j * n + k];
      lower[j * n + i] = sum / c[i * n + i];
    }
  }
  for (int64_t i = 0; i < n; i++) {
    context.check();
    for (int64_t j = i; j < n; j++) {
      double sum = 0;
      for (int64_t k = j; k < n; k++) sum += lower[i * n + k] * lower[j * n + k];
      result[i * n + j] = result[j * n + i] = sum;
    }
  }
  return result;
}

// y_j = mean_j − Σ_{i≠j} Θ_ji/Θ_jj·(x_i − mean_i)
void predict(const Context& context, const Backend& backend, int64_t n, int64_t voxels, const float* input,
             const uint8_t* where, float* output) {
  std::vector<double> means(n), covariance(n * n);
  backend.covariance(context, {n, voxels, input, where, means.data(), covariance.data()});
  std::vector<double> matrix = inverse(context, std::move(covariance), n), offsets = means;
  for (int64_t j = 0; j < n; j++) {
    const double scale = -1 / matrix[j * n + j];
    matrix[j * n + j] = 0;
    for (int64_t i = 0; i < n; i++) {
      matrix[j * n + i] *= scale;
      offsets[j] -= matrix[j * n + i] * means[i];
    }
  }
  backend.mix_volumes(context, {n, voxels, n, input, matrix.data(), offsets.data(), output});
}

}  // namespace

Needs patch2self_needs() { return Needs(&Backend::covariance, &Backend::mix_volumes); }

void patch2self(const Context& context, const Backend& backend, const Patch2SelfArgs& args) {
  const int64_t voxels = args.voxels, bytes = voxels * static_cast<int64_t>(sizeof(float));
  context.copy_rows(args.output, bytes, args.input, bytes, bytes, args.volumes);
  for (const std::vector<int64_t>& group : args.groups) {
    const int64_t n = static_cast<int64_t>(group.size());
    Scratch<float> input = context.scratch<float>(n * voxels), output = context.scratch<float>(n * voxels);
    for (int64_t k = 0; k < n; k++)
      context.copy_rows(input.data() + k * voxels, bytes, args.input + group[k] * voxels, bytes, bytes, 1);
    predict(context, backend, n, voxels, input.data(), args.where, output.data());
    for (int64_t k = 0; k < n; k++)
      context.copy_rows(args.output + group[k] * voxels, bytes, output.data() + k * voxels, bytes, bytes, 1);
  }
}

}  // namespace sino
