// One asynchronous call. An operation adds one function: it reads its Arguments on the JavaScript thread and
// returns the work, a closure over plain data that runs on the thread pool and may return a few numbers.
// Everything else is here once: promise, progress, cancellation, keeping buffers alive, and tearing down with
// the environment.
#pragma once

#include <napi.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "native/backend/needs.h"
#include "native/napi/arguments.h"
#include "native/napi/plans.h"
#include "native/runtime/context.h"

namespace sino {

using Numbers = std::vector<std::pair<std::string, double>>;
struct Work {
  std::function<Numbers(const Context&, const Backend&)> run;
  Needs needs{};     // nothing: it is the processor's work alone
  double steps = 0;  // of the processor (kStepsWorthADevice)
};
// A call of one operation on arrays of the caller. It moves memory once: "auto" leaves it to the processor.
template <typename Args>
Work one(Operation<Args> Backend::* operation, const Args& args) {
  return {[=](const Context& context, const Backend& backend) -> Numbers {
            (backend.*operation).run(context, args);
            return {};
          },
          Needs(operation)};
}

// `total` receives the amount of work, in the units that the operation advances by.
using Reader = Work (*)(Arguments& arguments, int64_t* total);

// Every operation by name; napi/operations_*.cc list theirs.
void add_array_operations(std::map<std::string, Reader>& readers);
void add_diffusion_operations(std::map<std::string, Reader>& readers);
void add_dwi_operations(std::map<std::string, Reader>& readers);
void add_fourier_operations(std::map<std::string, Reader>& readers);
void add_iterative_operations(std::map<std::string, Reader>& readers);
void add_mar_operations(std::map<std::string, Reader>& readers);
void add_physics_operations(std::map<std::string, Reader>& readers);
void add_pixel_operations(std::map<std::string, Reader>& readers);
void add_polychromatic_operations(std::map<std::string, Reader>& readers);
void add_restore_operations(std::map<std::string, Reader>& readers);
void add_tomography_operations(std::map<std::string, Reader>& readers);

// The jobs of one Node environment.
class Jobs {
 public:
  Jobs(Napi::Env env, std::shared_ptr<Runtime> runtime);
  ~Jobs();

  // start(operation, arguments, onProgress | undefined) → {id, promise}
  Napi::Value start(const Napi::CallbackInfo& info);
  void cancel(uint64_t id);
  Runtime& runtime() { return *runtime_; }
  Plans& plans() { return plans_; }

 private:
  struct Job;
  struct Shared;  // what pool threads may touch; outlives the environment until the last job has gone
  static void submit(std::shared_ptr<Job> job, Runtime& runtime);
  static void run(std::shared_ptr<Job> job, Runtime& runtime, Device* device);
  static void finish(std::shared_ptr<Job> job);
  static void on_wake(Napi::Env env, Napi::Function, Jobs* jobs, void*);
  void settle(Napi::Env env);
  void shut_down();

  std::shared_ptr<Runtime> runtime_;
  Plans plans_;
  std::map<std::string, Reader> readers_;
  std::map<uint64_t, std::shared_ptr<Job>> pending_;
  std::shared_ptr<Shared> shared_;
  uint64_t next_id_ = 1;
};

}  // namespace sino
