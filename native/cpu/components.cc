// components on the CPU: runs are found and written row by row in parallel; uniting them is one pass over the runs, per slice in 2-D
// and over all in 3-D.
#include "native/ops/components.h"

#include <algorithm>
#include <cstring>

#include "native/cpu/cpu.h"

namespace sino::cpu {

namespace {

constexpr int64_t kPixelsPerTask = 1 << 17;

struct Run {
  int32_t begin, end;  // columns
};

bool is_volume(int connectivity) { return connectivity == 6 || connectivity == 18 || connectivity == 26; }

class Parts {
 public:
  // `flip` takes the parts of what is not set.
  Parts(const Context& context, const ComponentsArgs& args, bool flip)
      : context_(context), a_(args), flip_(flip), lines_(args.slices * args.rows) {
    start_ = context.scratch<int64_t>(lines_ + 1);
    find_runs();
    unite();
  }

  // body(line, first run, one past the last run) in parallel
  template <typename Body>
  void each_line(const Body& body) const {
    context_.parallel_for(lines_, grain(), [&](int64_t begin, int64_t end) {
      for (int64_t line = begin; line < end; line++) body(line, start_[line], start_[line + 1]);
      context_.job.advance(end - begin);
    });
  }
  int64_t count() const { return runs_.size(); }
  const Run& run(int64_t r) const { return runs_[r]; }
  int64_t end_of(int64_t line) const { return start_[line + 1]; }
  int64_t root(int64_t r) const {
    while (parent_[r] != r) r = parent_[r];
    return r;
  }
  int64_t pixels_of(int64_t r) const { return runs_[r].end - runs_[r].begin; }

 private:
  int64_t grain() const { return std::max<int64_t>(1, kPixelsPerTask / std::max<int64_t>(1, a_.columns)); }
  bool is_set(uint8_t value) const { return (value != 0) != flip_; }

  template <typename Body>
  void runs_of(int64_t line, const Body& body) const {
    const uint8_t* m = a_.mask + line * a_.columns;
    for (int64_t x = 0; x < a_.columns;) {
      for (uint64_t eight; !flip_ && x + 8 <= a_.columns; x += 8) {  // most of a mask is empty
        std::memcpy(&eight, m + x, 8);
        if (eight) break;
      }
      while (x < a_.columns && !is_set(m[x])) x++;
      if (x == a_.columns) return;
      const int64_t begin = x;
      while (x < a_.columns && is_set(m[x])) x++;
      body(Run{static_cast<int32_t>(begin), static_cast<int32_t>(x)});
    }
  }

  void find_runs() {
    start_[0] = 0;
    context_.parallel_for(lines_, grain(), [&](int64_t begin, int64_t end) {
      for (int64_t line = begin; line < end; line++) {
        int64_t n = 0;
        runs_of(line, [&](Run) { n++; });
        start_[line + 1] = n;
      }
    });
    for (int64_t line = 0; line < lines_; line++) start_[line + 1] += start_[line];
    runs_ = context_.scratch<Run>(start_[lines_]);
    parent_ = context_.scratch<int64_t>(start_[lines_]);
    context_.parallel_for(lines_, grain(), [&](int64_t begin, int64_t end) {
      for (int64_t line = begin; line < end; line++) {
        int64_t r = start_[line];
        runs_of(line, [&](Run run) { runs_[r] = run, parent_[r] = r, r++; });
      }
    });
  }

  int64_t find(int64_t r) {
    while (parent_[r] != r) r = parent_[r] = parent_[parent_[r]];
    return r;
  }

  void unite_lines(int64_t line, int64_t other, int reach) {
    if (reach < 0) return;
    int64_t a = start_[line], b = start_[other];
    while (a < start_[line + 1] && b < start_[other + 1]) {
      if (runs_[a].begin < runs_[b].end + reach && runs_[b].begin < runs_[a].end + reach) {
        const int64_t p = find(a), q = find(b);
        if (p != q) parent_[std::max(p, q)] = std::min(p, q);
      }
      if (runs_[a].end < runs_[b].end)
        a++;
      else
        b++;
    }
  }

  void unite() {
    const int c = a_.connectivity;
    auto slice = [&](int64_t z) {
      for (int64_t y = 0; y < a_.rows; y++) {
        const int64_t line = z * a_.rows + y;
        if (y > 0) unite_lines(line, line - 1, reach_of_rows(c, 0, 1));
        if (z == 0 || !is_volume(c)) continue;
        for (int64_t dy = -1; dy <= 1; dy++)
          if (y + dy >= 0 && y + dy < a_.rows) unite_lines(line, line - a_.rows + dy, reach_of_rows(c, 1, dy ? 1 : 0));
      }
    };
    if (is_volume(c)) {
      for (int64_t z = 0; z < a_.slices; z++) context_.check(), slice(z);
    } else {
      context_.parallel_for(a_.slices, 1, [&](int64_t begin, int64_t end) {
        for (int64_t z = begin; z < end; z++) slice(z);
      });
    }
  }

  const Context& context_;
  const ComponentsArgs& a_;
  const bool flip_;
  const int64_t lines_;
  Scratch<int64_t> start_;  // [lines + 1]: the first run of every row
  Scratch<Run> runs_;
  Scratch<int64_t> parent_;
};

Scratch<int64_t> sizes_by_root(const Context& context, const Parts& parts) {
  Scratch<int64_t> sizes = context.scratch<int64_t>(parts.count());
  std::fill(sizes.data(), sizes.data() + parts.count(), 0);
  for (int64_t r = 0; r < parts.count(); r++) sizes[parts.root(r)] += parts.pixels_of(r);
  return sizes;
}

}  // namespace

void label_components(const Context& context, const ComponentsArgs& args) {
  const Parts parts(context, args, false);
  require(parts.count() < (int64_t(1) << 31), Code::overflow, "The mask has more parts than int32 labels can number.");
  Scratch<int32_t> numbers = context.scratch<int32_t>(parts.count());
  int32_t count = 0;
  for (int64_t r = 0; r < parts.count(); r++) {  // the root of a part is its first run
    const int64_t root = parts.root(r);
    numbers[r] = root == r ? ++count : numbers[root];
  }
  *args.count = count;
  parts.each_line([&](int64_t line, int64_t first, int64_t last) {
    int32_t* labels = args.labels + line * args.columns;
    std::fill(labels, labels + args.columns, 0);
    for (int64_t r = first; r < last; r++)
      std::fill(labels + parts.run(r).begin, labels + parts.run(r).end, numbers[r]);
  });
}

void keep_components(const Context& context, const ComponentsArgs& args) {
  const Parts parts(context, args, false);
  const Scratch<int64_t> sizes = sizes_by_root(context, parts);
  int64_t kept = 0;
  for (int64_t r = 0; r < parts.count(); r++) kept += parts.root(r) == r && sizes[r] >= args.least;
  *args.count = kept;
  parts.each_line([&](int64_t line, int64_t first, int64_t last) {
    uint8_t* result = args.result + line * args.columns;
    std::memset(result, 0, args.columns);
    for (int64_t r = first; r < last; r++)
      if (sizes[parts.root(r)] >= args.least) std::memset(result + parts.run(r).begin, 1, parts.pixels_of(r));
  });
}

void fill_holes(const Context& context, const ComponentsArgs& args) {
  const Parts parts(context, args, true);
  const bool volume = is_volume(args.connectivity);
  Scratch<uint8_t> open = context.scratch<uint8_t>(parts.count());
  std::fill(open.data(), open.data() + parts.count(), uint8_t(0));
  int64_t r = 0;
  for (int64_t line = 0; line < args.slices * args.rows; line++) {
    const int64_t y = line % args.rows, z = line / args.rows;
    const bool at_border = y == 0 || y == args.rows - 1 || (volume && (z == 0 || z == args.slices - 1));
    for (const int64_t last = parts.end_of(line); r < last; r++)
      if (at_border || parts.run(r).begin == 0 || parts.run(r).end == args.columns) open[parts.root(r)] = 1;
  }
  parts.each_line([&](int64_t line, int64_t first, int64_t last) {
    uint8_t* result = args.result + line * args.columns;
    std::memset(result, 1, args.columns);
    for (int64_t run = first; run < last; run++)
      if (open[parts.root(run)]) std::memset(result + parts.run(run).begin, 0, parts.pixels_of(run));
  });
}

void component_sizes(const Context& context, const ComponentSizesArgs& args) {
  std::fill(args.sizes, args.sizes + args.count, 0);
  for (int64_t begin = 0; begin < args.pixels; begin += kPixelsPerTask) {
    context.check();
    const int64_t end = std::min(args.pixels, begin + kPixelsPerTask);
    for (int64_t i = begin; i < end; i++)
      if (args.labels[i] > 0 && args.labels[i] <= args.count) args.sizes[args.labels[i] - 1]++;
  }
}

}  // namespace sino::cpu
