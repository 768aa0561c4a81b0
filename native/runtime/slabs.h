// Calls cut into slabs of slices, for devices whose memory is not the caller's. What an operation's arguments are made of is said once,
// by a function that visits them:
//
//   inline void arrays(Cut& cut, GaussianArgs& a) {
//     cut.along(a.slices);
//     cut.in(a.input, a.rows * a.columns);   // elements per slice
//     cut.out(a.output, a.rows * a.columns);
//   }
//
// in_slabs runs the call: on the processor at once, on the caller's own arrays; on a device slab by slab, each array uploaded once and
// downloaded once, through staging memory. Two slabs are under way at a time, each in a space (queue, memory) of its own, so that one is
// copied while the other is computed. A slab that turns out not to fit is tried again with half the slices; one slice that does not fit is
// an error that says what it needed and what there was. Between slabs and between launches a cancelled job leaves.
#pragma once

#include <functional>
#include <vector>

#include "native/runtime/context.h"

namespace sino {

// Visits a call's arguments: first to measure them, then to make the arguments of each slab.
class Cut {
 public:
  Cut() = default;  // measures
  Cut(const Cut& whole, int64_t begin, int64_t count, const std::vector<void*>& placed)
      : whole_(&whole), begin_(begin), count_(count), placed_(&placed) {}

  // What is cut: so many slices (lines, elements), in slabs of multiples of `grain` but for the last one.
  void along(int64_t& units, int64_t grain = 1) {
    if (whole_) return static_cast<void>(units = count_);
    units_ = units, grain_ = grain;
  }
  // A call that cannot be cut: one unit.
  void at_once() {
    if (!whole_) units_ = grain_ = 1;
  }
  // Arrays of `per_unit` elements per unit, contiguous; null where there is none. Two of the same memory stay so.
  template <typename T>
  void in(const T*& array, int64_t per_unit) {
    array = static_cast<const T*>(visit(array, per_unit, sizeof(T), kRead));
  }
  template <typename T>
  void out(T*& array, int64_t per_unit) {
    array = static_cast<T*>(const_cast<void*>(visit(array, per_unit, sizeof(T), kWritten)));
  }
  void in_bytes(const void*& array, int64_t per_unit) { array = visit(array, per_unit, 1, kRead); }
  void out_bytes(void*& array, int64_t per_unit) { array = const_cast<void*>(visit(array, per_unit, 1, kWritten)); }
  // Read, and refused where something is NaN or infinite: out_of_range.
  void finite(const float*& array, int64_t per_unit, const char* name) {
    array = static_cast<const float*>(visit(array, per_unit, sizeof(float), kRead, name));
  }
  // All of it for every slab.
  template <typename T>
  void table(const T*& array, int64_t count) {
    array = static_cast<const T*>(visit(array, count, sizeof(T), kRead | kWhole));
  }
  // One value made per slab; merge(all, of_slab), in order.
  template <typename T>
  void result(T*& value, void (*merge)(T& all, const T& of_slab)) {
    value = static_cast<T*>(visit_result(value, sizeof(T), [merge](void* all, const void* part) {
      merge(*static_cast<T*>(all), *static_cast<const T*>(part));
    }));
  }
  void sum(int64_t*& count) {
    result<int64_t>(count, [](int64_t& all, const int64_t& part) { all += part; });
  }
  // The number of the first unit, where units are numbered.
  void position(int64_t& first) { first += begin_; }
  // Working memory that the call takes beside its arrays.
  void working(int64_t bytes_per_unit) { working_ += bytes_per_unit; }

 private:
  friend class Slabs;
  enum : int { kRead = 1, kWritten = 2, kWhole = 4 };
  struct Array {
    const void* host;
    int64_t unit_bytes;
    int use;
    const char* finite_name;
    std::function<void(void*, const void*)> merge;
    bool is(const void* array, int64_t bytes, int same_use) const {
      return host == array && unit_bytes == bytes && (use & kWhole) == (same_use & kWhole);
    }
  };
  const void* visit(const void* array, int64_t per_unit, int64_t size, int use, const char* finite_name = nullptr);
  void* visit_result(void* value, int64_t size, std::function<void(void*, const void*)> merge);
  const void* place(const void* array, int64_t unit_bytes, int use) const;

  int64_t units_ = 1, grain_ = 1, working_ = 0;
  std::vector<Array> arrays_;
  const Cut* whole_ = nullptr;
  int64_t begin_ = 0, count_ = 0;
  const std::vector<void*>* placed_ = nullptr;
};

void check_finite(const Context& context, const Cut& whole);
// Runs run(context of a space, arguments of the slab) for every slab.
void run_in_slabs(const Context& context, const Cut& whole, const std::function<void(const Context&, const Cut&)>& run);

template <typename Args, typename Run>
void in_slabs(const Context& context, Args args, const Run& run) {
  Cut whole;
  Args seen = args;
  arrays(whole, seen);
  if (!context.device) {
    check_finite(context, whole);
    return run(context, args);
  }
  run_in_slabs(context, whole, [&](const Context& on_device, const Cut& cut) {
    Args slab = args;
    Cut place = cut;
    arrays(place, slab);
    run(on_device, slab);
  });
}

}  // namespace sino
