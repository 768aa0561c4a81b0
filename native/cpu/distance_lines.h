// What distance and morphology share: the lower envelope of the parabolas of one line.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "native/ops/distance.h"
#include "native/runtime/context.h"

namespace sino::cpu {

// Parabolas come in from left to right; those that are lowest nowhere are dropped as soon as that is known.
template <typename T>
class Envelope {
 public:
  Envelope(const Context& context, int64_t length, T spacing)
      : vertex_(context.scratch<int32_t>(length)),
        offset_(context.scratch<T>(length)),
        height_(context.scratch<T>(length)),
        from_(context.scratch<T>(length)),
        spacing_(spacing),
        twice_(2 * spacing * spacing) {}

  void clear() { count_ = 0; }

  void add(int32_t vertex, T offset) {
    const T q = static_cast<T>(vertex), height = offset + (spacing_ * q) * (spacing_ * q);
    T from = -std::numeric_limits<T>::infinity();
    while (count_ > 0) {
      const int64_t top = count_ - 1;
      from = overtaking(height_[top], static_cast<T>(vertex_[top]), height, q, twice_);
      if (from > from_[top]) break;
      from = -std::numeric_limits<T>::infinity();
      count_--;
    }
    vertex_[count_] = vertex, offset_[count_] = offset, height_[count_] = height, from_[count_] = from;
    count_++;
  }

  // Calls body(begin, end, vertex, offset) for the stretches of pixels in [begin, end), left to right; never
  // where there is no parabola.
  template <typename Body>
  void stretches(int64_t begin, int64_t end, const Body& body) const {
    int64_t x = begin;
    for (int64_t k = 0; k < count_ && x < end; k++) {
      const int64_t stop =
          k + 1 < count_ ? static_cast<int64_t>(std::floor(std::min(from_[k + 1], static_cast<T>(end - 1)))) + 1 : end;
      if (stop <= x) continue;
      body(x, stop, vertex_[k], offset_[k]);
      x = stop;
    }
  }

  int64_t count() const { return count_; }
  const int32_t* vertices() const { return vertex_.data(); }
  const T* offsets() const { return offset_.data(); }
  const T* from() const { return from_.data(); }  // where each becomes the lowest one

 private:
  Scratch<int32_t> vertex_;
  Scratch<T> offset_, height_, from_;
  T spacing_, twice_;
  int64_t count_ = 0;
};

// One line of squared distances: offset(q) for the listed vertices q (ascending, all others infinite), body
// for stretches of the line that belong to one vertex. A zero offset ends the envelope.
template <typename T, typename Offset, typename Body>
void solve_line(Envelope<T>& envelope, const int32_t* vertices, int64_t count, int64_t length, const Offset& offset,
                const Body& body) {
  envelope.clear();
  int64_t begin = 0;
  for (int64_t j = 0; j < count; j++) {
    const int32_t q = vertices[j];
    const T f = offset(q);
    if (f == 0) {
      if (begin < q) {
        envelope.add(q, 0);
        envelope.stretches(begin, q, body);
      }
      body(q, q + 1, q, f);
      envelope.clear();
      begin = q + 1;
      if (begin < length && j + 1 < count && vertices[j + 1] == begin && offset(q + 1) == 0) continue;
    }
    envelope.add(q, f);
  }
  envelope.stretches(begin, length, body);
}

}  // namespace sino::cpu
