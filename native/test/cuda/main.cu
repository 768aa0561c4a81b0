// The kernels' tests as a program: sinogram_cuda_test [word] [--order=forward|reverse|lane_major|random[:seed]] [--no-check].
// The options are the shim's; on a device they do nothing.
#include <cstdlib>
#include <cstring>

#include "cuda/device.h"
#include "native/test/cuda/device_test.h"

#if !defined(__CUDACC__)
namespace {
void read_order(const std::string& text) {
  const std::string name = text.substr(0, text.find(':'));
  if (name == "reverse") simt::options.order = simt::Order::reverse;
  if (name == "lane_major") simt::options.order = simt::Order::lane_major;
  if (name == "random") simt::options.order = simt::Order::random;
  if (name.size() < text.size()) simt::options.seed = unsigned(std::atoi(text.c_str() + name.size() + 1));
}
// A test that is right and yet left a report or memory behind fails.
void settle() {
  for (const std::string& report : simt::take_reports()) {
    std::printf("reported: %s\n", report.c_str());
    sino::test::failures()++;
  }
  if (const std::string left = simt::leaks(); !left.empty()) {
    std::printf("%s\n", left.c_str());
    sino::test::failures()++;
  }
  simt::reset();
}
}  // namespace
#endif

int main(int count, char** arguments) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::string word;
  for (int i = 1; i < count; i++)
    if (std::strncmp(arguments[i], "--", 2) != 0) word = arguments[i];
#if defined(__CUDACC__)
  if (const std::string why = sino::cuda::obstacle(0); !why.empty()) {
    std::printf("skipped: cuda:0 cannot be used: %s\n", why.c_str());
    return 77;
  }
  return sino::test::run_tests(word);
#else
  for (int i = 1; i < count; i++) {
    if (std::strncmp(arguments[i], "--order=", 8) == 0) read_order(arguments[i] + 8);
    if (std::strcmp(arguments[i], "--no-check") == 0) simt::options.check = false;
  }
  return sino::test::run_tests(word, settle);
#endif
}
