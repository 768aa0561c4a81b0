// Philox4x32-10: random numbers without state. Word w of draw `block` of element `index` is a pure function of (seed, stream,
// index, block), so results depend neither on the number of threads nor on the device, and one element can be drawn again
// alone. J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011; the gold
// values of test/parity/noise.test.ts are that paper's.
//
// Key = (seed low, seed high). Counter = (index low, index high, block, stream). Streams keep apart what one seed is used for.
#pragma once

#include <cstdint>

#include "native/core/hd.h"

namespace sino {

struct PhiloxWords {
  uint32_t word[4];
};

SINO_HD inline PhiloxWords philox(PhiloxWords counter, uint32_t key0, uint32_t key1) {
  uint32_t* c = counter.word;
  for (int round = 0; round < 10; round++) {
    const uint64_t a = uint64_t(0xD2511F53u) * c[0], b = uint64_t(0xCD9E8D57u) * c[2];
    const uint32_t next[4] = {uint32_t(b >> 32) ^ c[1] ^ key0, uint32_t(b), uint32_t(a >> 32) ^ c[3] ^ key1,
                              uint32_t(a)};
    for (int i = 0; i < 4; i++) c[i] = next[i];
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

struct RandomSource {
  uint64_t seed;
  uint32_t stream;

  SINO_HD PhiloxWords draw(uint64_t index, uint32_t block) const {
    return philox({{uint32_t(index), uint32_t(index >> 32), block, stream}}, uint32_t(seed), uint32_t(seed >> 32));
  }
};

// Strictly between 0 and 1, symmetric about ½.
SINO_HD inline double unit_interval(uint32_t word) { return (word + 0.5) * (1.0 / 4294967296.0); }

}  // namespace sino
