#include "native/runtime/finite.h"

#include <atomic>
#include <cstring>
#include <string>

namespace sino {

namespace {
constexpr int64_t kChunk = 1 << 18;
constexpr uint32_t kExponent = 0x7f800000u;  // all set: infinity or NaN

int64_t not_finite(const float* data, int64_t begin, int64_t end) {
  int64_t count = 0;
  for (int64_t i = begin; i < end; i++) {
    uint32_t bits;
    std::memcpy(&bits, data + i, sizeof bits);
    count += (bits & kExponent) == kExponent;
  }
  return count;
}
}  // namespace

bool is_finite(const float* data, int64_t count) { return not_finite(data, 0, count) == 0; }

void require_finite(const Context& context, const float* data, int64_t count, const char* name) {
  std::atomic<int64_t> bad{0}, first{count};
  context.parallel_for(count, kChunk, [&](int64_t begin, int64_t end) {
    const int64_t here = not_finite(data, begin, end);
    if (!here) return;
    bad += here;
    int64_t i = begin;
    for (uint32_t bits = 0; i < end; i++) {
      std::memcpy(&bits, data + i, sizeof bits);
      if ((bits & kExponent) == kExponent) break;
    }
    int64_t seen = first;
    while (i < seen && !first.compare_exchange_weak(seen, i)) {
    }
  });
  if (bad)
    throw Error(Code::out_of_range,
                std::string("Expected finite numbers in ") + name + " but " + std::to_string(bad) + " of " +
                    std::to_string(count) + " are NaN or infinite, the first at element " + std::to_string(first) +
                    ". Replace them before the call.",
                {{"count", double(bad)}, {"first", double(first)}});
}

}  // namespace sino
