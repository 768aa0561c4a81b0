#include "native/runtime/slabs.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

#include "native/runtime/device.h"
#include "native/runtime/finite.h"

namespace sino {

namespace {

constexpr int64_t kCopyChunk = int64_t(1) << 20;
constexpr int64_t kAlign = 256;

int64_t aligned(int64_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

}  // namespace

const void* Cut::visit(const void* array, int64_t per_unit, int64_t size, int use, const char* finite_name) {
  if (!array) return nullptr;
  const int64_t bytes = checked_product(per_unit, size);
  if (whole_) return place(array, bytes, use);
  for (Array& a : arrays_)
    if (a.is(array, bytes, use)) {
      a.use |= use;
      if (finite_name) a.finite_name = finite_name;
      return array;
    }
  arrays_.push_back({array, bytes, use, finite_name, nullptr});
  return array;
}

void* Cut::visit_result(void* value, int64_t size, std::function<void(void*, const void*)> merge) {
  if (!value) return nullptr;
  if (whole_) return const_cast<void*>(place(value, size, kWritten | kWhole));
  arrays_.push_back({value, size, kWritten | kWhole, nullptr, std::move(merge)});
  return value;
}

const void* Cut::place(const void* array, int64_t unit_bytes, int use) const {
  for (size_t i = 0; i < whole_->arrays_.size(); i++)
    if (whole_->arrays_[i].is(array, unit_bytes, use)) return (*placed_)[i];
  throw Error(Code::internal, "An array of a slab was not there when the call was measured.");
}

// One call on a device.
class Slabs {
 public:
  using Run = std::function<void(const Context&, const Cut&)>;
  Slabs(const Context& context, const Cut& whole, const Run& run)
      : context_(context), device_(*context.device), whole_(whole), run_(run), total_(context.job.total) {}

  static void check_finite(const Context& context, const Cut& whole) {
    for (const Cut::Array& a : whole.arrays_)
      if (a.finite_name)
        require_finite(context, static_cast<const float*>(a.host), whole.units_ * a.unit_bytes / int64_t(sizeof(float)),
                       a.finite_name);
  }

  void run() {
    int64_t slab = first_guess();
    int spaces = slab < whole_.units_ ? Device::kSpaces : 1;
    std::vector<std::unique_ptr<Lane>> lanes(spaces);
    int64_t begin = 0, turn = 0;
    do {
      auto& lane = lanes[turn % spaces];
      if (lane) finish(*lane);
      const int64_t count = std::min(slab, whole_.units_ - begin);
      try {
        if (!lane) lane = std::make_unique<Lane>(*this, device_.space(int(turn % spaces)));
        lane->begin(begin, count);
      } catch (const Error& error) {
        if (error.code != Code::out_of_memory || (count <= whole_.grain_ && spaces == 1)) throw;
        // what is under way ends and gives back its memory; then less at a time
        for (int64_t k = 0; k < spaces; k++)
          if (auto& other = lanes[(turn + 1 + k) % spaces]; other && &other != &lane) finish(*other);
        lanes.clear();
        if (count <= whole_.grain_)
          spaces = 1;
        else
          slab = std::max(whole_.grain_, count / 2 / whole_.grain_ * whole_.grain_);
        lanes.resize(spaces);
        turn = 0;
        continue;
      }
      begin += count;
      turn++;
    } while (begin < whole_.units_);
    for (int k = 0; k < spaces; k++)
      if (auto& lane = lanes[(turn + k) % spaces]) finish(*lane);
  }

 private:
  // A slab under way: its arrays in the space, and staging memory that they pass through.
  class Lane {
   public:
    Lane(Slabs& call, Space& space) : call_(call), space_(space) {}
    ~Lane() {
      try {
        space_.wait();          // what is queued uses what is given back here
      } catch (const Error&) {  // told by whoever waited for it; here the way is out
      }
      space_.release_staging(staging_);
    }
    Lane(const Lane&) = delete;
    Lane& operator=(const Lane&) = delete;

    void begin(int64_t begin, int64_t count) {
      begin_ = begin, count_ = count;
      reserve();
      upload();
      Context context = call_.context_;
      context.spare = nullptr;
      context.space = &space_;
      context.check();
      call_.run_(context, Cut(call_.whole_, begin, count, placed_));
      download();
      is_busy_ = true;
    }
    // Waits, and brings the results to the caller.
    void finish() {
      if (!is_busy_) return;
      is_busy_ = false;
      space_.wait();
      call_.context_.job.written = true;
      each([&](const Array& a, size_t i) {
        if (!(a.use & Cut::kWritten)) return;
        if (a.merge)
          a.merge(const_cast<void*>(a.host), staged(i));
        else
          call_.copy(const_cast<char*>(host(a)), staged(i), bytes(a));
      });
    }
    int64_t end() const { return begin_ + count_; }

   private:
    using Array = Cut::Array;
    template <typename Body>
    void each(const Body& body) {
      for (size_t i = 0; i < call_.whole_.arrays_.size(); i++) body(call_.whole_.arrays_[i], i);
    }
    const char* host(const Array& a) const {
      return static_cast<const char*>(a.host) + (a.use & Cut::kWhole ? 0 : begin_ * a.unit_bytes);
    }
    int64_t bytes(const Array& a) const { return a.use & Cut::kWhole ? a.unit_bytes : count_ * a.unit_bytes; }
    char* staged(size_t i) { return staging_ + offsets_[i]; }

    // Memory for as many units as the first slab has: later ones have no more.
    void reserve() {
      if (reserved_ >= count_) return;
      int64_t staging = 0;
      arrays_.clear(), placed_.clear(), offsets_.clear();
      each([&](const Array& a, size_t) {
        offsets_.push_back(staging);
        staging += aligned(bytes(a));
        arrays_.emplace_back(space_, std::max<int64_t>(1, bytes(a)));
        placed_.push_back(arrays_.back().data());
      });
      host_budget_ = Reserved(call_.context_.memory, staging);
      space_.release_staging(staging_);
      staging_ = nullptr;
      staging_ = static_cast<char*>(space_.allocate_staging(std::max<int64_t>(1, staging)));
      reserved_ = count_;
      tables_there_ = false;
    }
    void upload() {
      each([&](const Array& a, size_t i) {
        if (!(a.use & Cut::kRead) || (a.use & Cut::kWhole && tables_there_) || bytes(a) == 0) return;
        call_.copy(staged(i), host(a), bytes(a), a.finite_name);
        space_.upload(placed_[i], staged(i), bytes(a));
      });
      tables_there_ = true;
    }
    void download() {
      each([&](const Array& a, size_t i) {
        if (a.use & Cut::kWritten && bytes(a) > 0) space_.download(staged(i), placed_[i], bytes(a));
      });
    }

    struct Reserved {  // in the host's budget
      Reserved() = default;
      Reserved(MemoryBudget& budget, int64_t bytes) : budget(&budget), bytes(bytes) { budget.reserve(bytes); }
      ~Reserved() {
        if (budget) budget->release(bytes);
      }
      Reserved& operator=(Reserved&& other) noexcept {
        std::swap(budget, other.budget), std::swap(bytes, other.bytes);
        return *this;
      }
      MemoryBudget* budget = nullptr;
      int64_t bytes = 0;
    };

    Slabs& call_;
    Space& space_;
    std::vector<Scratch<char>> arrays_;
    std::vector<void*> placed_;
    std::vector<int64_t> offsets_;
    Reserved host_budget_;
    char* staging_ = nullptr;
    int64_t reserved_ = -1, begin_ = 0, count_ = 0;
    bool is_busy_ = false, tables_there_ = false;
  };

  void finish(Lane& lane) {
    lane.finish();
    if (total_ > 0 && whole_.units_ > 0) {
      const int64_t done = int64_t(double(total_) * double(lane.end()) / double(whole_.units_));
      if (done > told_) context_.job.advance(done - told_);
      told_ = std::max(told_, done);
    }
    context_.check();
  }

  // On all threads; where a name is given the copy is looked through on the way.
  void copy(char* to, const char* from, int64_t bytes, const char* finite_name = nullptr) {
    std::atomic<bool> bad{false};
    context_.parallel_for(bytes, kCopyChunk, [&](int64_t begin, int64_t end) {
      std::memcpy(to + begin, from + begin, end - begin);
      if (finite_name && !is_finite(reinterpret_cast<const float*>(to + begin), (end - begin) / int64_t(sizeof(float))))
        bad = true;
    });
    if (bad) check_finite(context_, whole_);  // tells how many, and where
  }

  int64_t first_guess() const {
    int64_t copied = 0, held = whole_.working_;
    for (const Cut::Array& a : whole_.arrays_) {
      if (a.use & Cut::kWhole) continue;
      held += a.unit_bytes;
      copied += a.unit_bytes * ((a.use & Cut::kRead ? 1 : 0) + (a.use & Cut::kWritten ? 1 : 0));
    }
    const int64_t units = std::max<int64_t>(1, whole_.units_);
    const int64_t fit = device_.available() / std::max<int64_t>(1, held);
    if (units <= fit && units * copied <= device_.slab_bytes) return units;
    const int64_t wanted = std::max(device_.slab_bytes / std::max<int64_t>(1, copied), device_.slab_slices);
    const int64_t slab = std::min({units, wanted, fit / Device::kSpaces});
    const int64_t step = std::max(whole_.grain_, slab >= 2 * device_.slab_slices ? device_.slab_slices : 1);
    return std::max(whole_.grain_, slab / step * step);
  }

  const Context& context_;
  Device& device_;
  const Cut& whole_;
  const Run& run_;
  const int64_t total_;
  int64_t told_ = 0;
};

void check_finite(const Context& context, const Cut& whole) { Slabs::check_finite(context, whole); }

void run_in_slabs(const Context& context, const Cut& whole,
                  const std::function<void(const Context&, const Cut&)>& run) {
  Slabs(context, whole, run).run();
}

}  // namespace sino
