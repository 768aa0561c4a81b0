// A slice with margins, so that neighbourhoods need no borders.
#pragma once

#include <algorithm>

#include "native/runtime/context.h"

namespace sino::cpu {

class Margins {
 public:
  Margins(const Context& context, int64_t rows, int64_t columns, int64_t margin)
      : rows_(rows), columns_(columns), margin_(margin), memory_(context.scratch<float>(stride() * height() + kSlack)) {
    std::fill_n(memory_.data() + stride() * height(), kSlack, 0.0f);
  }
  int64_t stride() const { return columns_ + 2 * margin_; }
  float* at(int64_t y, int64_t x) { return memory_.data() + (y + margin_) * stride() + x + margin_; }

  // place(i, n): the pixel that stands for i, from −margin to n + margin − 1.
  template <typename Place>
  void fill(const Context& context, const float* image, const Place& place) {
    context.parallel_for(height(), 64, [&](int64_t begin, int64_t end) {
      for (int64_t y = begin; y < end; y++) {
        const float* row = image + place(y - margin_, rows_) * columns_;
        float* to = memory_.data() + y * stride();
        std::copy_n(row, columns_, to + margin_);
        for (int64_t i = 0; i < margin_; i++) {
          to[i] = row[place(i - margin_, columns_)];
          to[margin_ + columns_ + i] = row[place(columns_ + i, columns_)];
        }
      }
    });
  }

 private:
  static constexpr int64_t kSlack = 64;  // vectors look past the last pixel
  int64_t height() const { return rows_ + 2 * margin_; }
  const int64_t rows_, columns_, margin_;
  Scratch<float> memory_;
};

}  // namespace sino::cpu
