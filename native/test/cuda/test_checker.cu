// The checker's own tests: right kernels pass without a report, each planted fault is named with its line, block and thread.
#include <cstring>
#include <fstream>
#include <set>

#include "native/test/cuda/device_test.h"
#include "native/test/cuda/planted.cuh"

namespace sino::test {

namespace {

// Each runs one planted kernel and tells whether the result is right.
template <int Bug>
bool turned() {
  const int rows = 50, columns = 77;
  const std::vector<float> image = Numbers().floats(rows * columns);
  std::vector<float> expected(image.size());
  for (int y = 0; y < rows; y++)
    for (int x = 0; x < columns; x++) expected[x * rows + y] = image[y * columns + x];
  OnDevice<float> in(image), out(image.size());
  LAUNCH((turn<Bug>), dim3(3, 2), dim3(32, 8), 0, nullptr)(in.data(), out.data(), rows, columns);
  return close(out.download(), expected, 0);
}

template <int Bug>
bool totalled() {
  const std::vector<float> values = Numbers(2).floats(5003);
  double sum = 0;
  for (float v : values) sum += v;
  OnDevice<float> in(values), out(std::vector<float>{0});
  LAUNCH((total<Bug>), 4, 256, 0, nullptr)(in.data(), out.data(), int(values.size()));
  return close(out.download(), std::vector<double>{sum}, 1e-4);
}

template <int Bug>
bool transformed() {
  const int rows = 6;
  std::vector<float> values = Numbers(3).floats(rows * 256);
  OnDevice<float> data(values);
  LAUNCH((walsh<Bug>), rows / 2, dim3(128, 2), Bug == 15 ? 2000 : 2048, nullptr)(data.data());
  std::vector<double> expected(values.size());
  for (int i = 0; i < rows * 256; i++)
    for (int k = 0; k < 256; k++)
      expected[i] += (__builtin_popcount(i % 256 & k) % 2 ? -1.0 : 1.0) * values[i / 256 * 256 + k];
  return close(data.download(), expected, 1e-4);
}

template <int Bug>
bool slid() {
  const int lines = 3, n = 148, taps = 31;
  const std::vector<float> values = Numbers(4).floats(lines * n);
  OnDevice<float> in(values), out(values.size());
  LAUNCH((slide<Bug>), lines, 64, 0, nullptr)(in.data(), out.data(), n, taps);
  std::vector<double> expected(values.size());
  for (int i = 0; i < lines * n; i++)
    for (int k = 0; k < taps && i % n + k < n; k++) expected[i] += values[i + k];
  return close(out.download(), expected, 1e-5);
}

template <int Bug>
bool multiplied() {
  Numbers numbers(5);
  std::vector<half> a, b;
  for (int i = 0; i < 256; i++) a.push_back(__float2half_rn(numbers.next()));
  for (int i = 0; i < 128; i++) b.push_back(__float2half_rn(numbers.next()));
  OnDevice<half> a_d(a), b_d(b);
  OnDevice<float> c(128);
  LAUNCH((multiply<Bug>), 1, 32, 0, nullptr)(a_d.data(), b_d.data(), c.data());
  std::vector<double> expected(128);
  for (int i = 0; i < 128; i++)
    for (int k = 0; k < 16; k++)
      expected[i] += double(__half2float(a[i / 8 * 16 + k])) * double(__half2float(b[k * 8 + i % 8]));
  return close(c.download(), expected, 1e-5);
}

template <int Bug>
bool counted() {
  Numbers numbers(6);
  std::vector<int> values(1000), expected(50);
  for (int& v : values) v = int(numbers.bits() % 10000), expected[v % 50]++;
  OnDevice<int> in(values), out(std::vector<int>(50));
  LAUNCH((histogram<50, Bug>), 8, 128, 0, nullptr)(in.data(), out.data(), 1000);
  return close(out.download(), expected, 0);
}

template <int Bug>
bool doubled() {
  std::vector<float> values = Numbers(7).floats(128);
  OnDevice<float> in(values), out(values.size());
  std::vector<float> elsewhere(128);
  LAUNCH((twice<Bug>), 1, 32, 0, nullptr)(in.data(), Bug == 17 ? elsewhere.data() : out.data(), 128);
  for (float& v : values) v *= 2;
  return close(out.download(), values, 0);
}

template <int Bug>
bool masked() {
  const std::vector<float> values = Numbers(8).floats(101);
  OnDevice<float> in(values);
  OnDevice<uint8_t> mask(values.size());
  LAUNCH((mask_above<Bug>), 2, 64, 0, nullptr)(in.data(), mask.data(), 0.25f, 101);
  std::vector<int> expected;
  for (float v : values) expected.push_back(v > 0.25f);
  return close(mask.download(), expected, 0);
}

template <int Bug>
bool gathered() {
  OnDevice<float> parts(7), out(1);
  OnDevice<unsigned> finished(std::vector<unsigned>{0});
  LAUNCH((last_block<Bug>), 7, 32, 0, nullptr)(parts.data(), finished.data(), out.data());
  return close(out.download(), std::vector<float>{28}, 0);
}

}  // namespace

TEST(right_kernels_are_right) {
  CHECK(turned<0>());
  CHECK(totalled<0>());
  CHECK(transformed<0>());
  CHECK(slid<0>());
  CHECK(multiplied<0>());
  CHECK(counted<0>());
  CHECK(doubled<0>());
  CHECK(masked<0>());
  CHECK(gathered<0>());
}

#if !defined(__CUDACC__)

namespace {

std::set<int> marked_lines(int bug) {
  const std::string path = __FILE__, mark = "[" + std::to_string(bug) + "]";
  std::ifstream file(path.substr(0, path.rfind('/') + 1) + "planted.cuh");
  std::set<int> lines;
  std::string text;
  for (int line = 1; std::getline(file, text); line++) {
    const size_t comment = text.find("// [");
    if (comment != std::string::npos && text.find(mark, comment) != std::string::npos) lines.insert(line);
  }
  return lines;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Runs a planted kernel; true where a report has one of the `sentences`, a line marked [bug], a block and a thread.
bool caught(int bug, bool (*run)(), const std::vector<const char*>& sentences) {
  simt::options.print = false;
  quiet = true;
  try {
    run();
  } catch (const std::runtime_error&) {  // an illegal access loses the device
  }
  const std::vector<std::string> reports = simt::take_reports();
  simt::reset();
  simt::options.print = true;
  quiet = false;
  for (const std::string& report : reports) {
    bool said = false, placed = false;
    for (const char* sentence : sentences) said = said || contains(report, sentence);
    for (int line : marked_lines(bug)) placed = placed || contains(report, "planted.cuh:" + std::to_string(line) + " ");
    if (said && placed && contains(report, "[block ") && contains(report, " thread ")) return true;
  }
  std::printf("planted fault %d was not caught\n", bug);
  for (const std::string& report : reports) std::printf("  but: %s\n", report.c_str());
  return false;
}

}  // namespace

TEST(planted_faults_are_caught) {
  if (!simt::options.check) return;
  // which of two unordered accesses comes first, and so what is said, depends on the order of threads
  const char *race = "race on shared memory", *unwritten = "of unwritten shared memory";
  CHECK(caught(1, turned<1>, {race, unwritten}));
  CHECK(caught(2, totalled<2>, {unwritten}));
  CHECK(caught(3, transformed<3>, {race}));
  CHECK(caught(4, slid<4>, {"shared read of 4 bytes out of bounds"}));
  CHECK(caught(5, turned<5>, {"__syncthreads reached by"}));
  CHECK(caught(6, totalled<6>, {"deadlock in shuffle", "shuffle with mask", "shuffle: lane"}));
  CHECK(caught(7, totalled<7>, {"race on global memory"}));
  CHECK(caught(8, turned<8>, {"global write of 4 bytes out of bounds"}));
  CHECK(caught(9, slid<9>, {race, unwritten}));
  CHECK(caught(10, multiplied<10>, {race, unwritten}));
  CHECK(caught(11, totalled<11>, {race, unwritten}));
  CHECK(caught(12, slid<12>, {race}));
  CHECK(caught(13, counted<13>, {race, unwritten}));
  CHECK(caught(14, totalled<14>, {"deadlock in shuffle: lanes 03ffffff of mask ffffffff came"}));
  CHECK(caught(15, transformed<15>, {"of 'dynamic shared memory', which has 2000"}));
  CHECK(caught(16, doubled<16>, {"no multiple of 16"}));
  CHECK(caught(17, doubled<17>, {"write of host memory"}));
  CHECK(caught(18, turned<18>, {"different __syncthreads"}));
  CHECK(caught(19, masked<19>, {"race on global memory"}));
  CHECK(caught(20, gathered<20>, {"race on global memory"}));
}

#endif

}  // namespace sino::test
