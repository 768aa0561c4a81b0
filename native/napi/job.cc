#include "native/napi/job.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <optional>

namespace sino {

namespace {
constexpr int64_t kProgressInterval_ms = 100;

int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}
// Null: the processor. A named device that is not there is one that will say so.
Device* device_for(Runtime& runtime, const DeviceName& name, const Work& work) {
  if (name.kind == DeviceName::Kind::cpu) return nullptr;
  if (name.kind == DeviceName::Kind::cuda) {
    require(bool(work.needs), Code::unsupported,
            "This operation runs on the processor alone. Use device \"cpu\" or \"auto\".");
    return &runtime.device(name.index, make_cuda_device);
  }
  const bool worth =
      work.needs && work.steps >= kStepsWorthADevice && built_with_cuda() && work.needs.met_by(cuda_backend());
  if (!worth) return nullptr;
  Device& device = runtime.device(0, make_cuda_device);
  return device.is_known_unusable() ? nullptr : &device;
}
}  // namespace

struct Jobs::Job {
  enum class State { queued, taken };  // taken: by a thread of the pool, or by whoever cancelled it before
  uint64_t id = 0;
  std::atomic<State> state{State::queued};
  JobControl control;
  Work work;
  Device* device = nullptr;  // null: the processor
  bool automatic = false;    // the processor, too, where the device cannot
  std::optional<Error> error;
  Numbers result;
  std::vector<Borrow> borrows;
  std::shared_ptr<Shared> shared;
  std::atomic<int64_t> next_report_ms{0};
  std::atomic<bool> report{false};
  int64_t reported = -1;
  // JavaScript thread only:
  napi_deferred deferred = nullptr;
  Napi::FunctionReference on_progress;
  std::vector<Napi::ObjectReference> kept;

  bool take() {
    State expected = State::queued;
    return state.compare_exchange_strong(expected, State::taken);
  }
  // So that any thread may drop what is left of the job.
  void let_go_of_javascript() {
    on_progress.Reset();
    kept.clear();
  }
};

struct Jobs::Shared {
  using Wake = Napi::TypedThreadSafeFunction<Jobs, void, Jobs::on_wake>;
  std::mutex mutex;
  std::condition_variable idle;
  std::deque<std::shared_ptr<Job>> finished;
  int running = 0;  // submitted and not yet finished
  bool closing = false;
  Wake wake;

  void call() {
    std::lock_guard lock(mutex);
    if (!closing) wake.NonBlockingCall();
  }
};

Jobs::Jobs(Napi::Env env, std::shared_ptr<Runtime> runtime)
    : runtime_(std::move(runtime)), shared_(std::make_shared<Shared>()) {
  add_array_operations(readers_);
  add_diffusion_operations(readers_);
  add_dwi_operations(readers_);
  add_fourier_operations(readers_);
  add_iterative_operations(readers_);
  add_mar_operations(readers_);
  add_polychromatic_operations(readers_);
  add_physics_operations(readers_);
  add_pixel_operations(readers_);
  add_restore_operations(readers_);
  add_tomography_operations(readers_);
  shared_->wake = Shared::Wake::New(env, "sinogram", 0, 1, this);
  shared_->wake.Unref(env);  // only pending jobs keep the process alive
  env.AddCleanupHook([this] { shut_down(); });
}

Jobs::~Jobs() { shut_down(); }

void Jobs::shut_down() {
  std::unique_lock lock(shared_->mutex);
  if (shared_->closing) return;
  shared_->closing = true;
  for (auto& [id, job] : pending_) {
    job->control.cancelled = true;
    if (!job->take()) continue;
    runtime_->borrows.give_back(job->borrows);
    job->work = {};
    shared_->running--;
  }
  shared_->idle.wait(lock, [&] { return shared_->running == 0; });  // cancelled jobs stop within 50 ms
  for (auto& [id, job] : pending_) job->let_go_of_javascript();
  shared_->finished.clear();
  shared_->wake.Abort();
  pending_.clear();
}

Napi::Value Jobs::start(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsString() || !info[1].IsObject())
    throw to_js(env, Error(Code::arg_type, "Expected (operation, arguments)."));
  const std::string operation = info[0].As<Napi::String>();
  const auto reader = readers_.find(operation);
  if (reader == readers_.end())
    throw to_js(env, Error(Code::unsupported, "The native addon has no operation named " + operation + "."));

  auto job = std::make_shared<Job>();
  napi_value promise = nullptr;
  try {
    Arguments arguments(info[1].As<Napi::Object>(), runtime_->memory, &plans_);
    int64_t total = 0;
    const DeviceName device =
        arguments.has("device") ? device_named(arguments.text("device")) : DeviceName{DeviceName::Kind::cpu};
    job->work = reader->second(arguments, &total);
    job->automatic = device.kind == DeviceName::Kind::automatic;
    job->device = device_for(*runtime_, device, job->work);
    job->control.total = total;
    runtime_->borrows.take(arguments.borrows);
    job->borrows = std::move(arguments.borrows);
    job->kept = std::move(arguments.kept);
  } catch (const Error& error) {
    throw to_js(env, error);
  } catch (const std::exception& error) {
    throw to_js(env, Error(Code::internal, error.what()));
  }
  if (napi_create_promise(env, &job->deferred, &promise) != napi_ok) {
    runtime_->borrows.give_back(job->borrows);
    return env.Undefined();  // the environment is being terminated
  }
  job->id = next_id_++;
  job->shared = shared_;
  if (info[2].IsFunction()) job->on_progress = Napi::Persistent(info[2].As<Napi::Function>());
  job->control.owner = job.get();
  job->control.notify = [](void* owner) {
    Job& job = *static_cast<Job*>(owner);
    const int64_t now = now_ms();
    int64_t due = job.next_report_ms.load(std::memory_order_relaxed);
    if (now < due || !job.next_report_ms.compare_exchange_strong(due, now + kProgressInterval_ms)) return;
    job.report = true;
    job.shared->call();
  };
  Napi::Object handle = Napi::Object::New(env);
  handle.Set("id", Napi::Number::New(env, static_cast<double>(job->id)));
  handle.Set("promise", promise);
  if (pending_.empty()) shared_->wake.Ref(env);
  pending_[job->id] = job;
  {
    std::lock_guard lock(shared_->mutex);
    shared_->running++;
  }
  submit(std::move(job), *runtime_);
  return handle;
}

// A Job holds references to JavaScript objects, which only the JavaScript thread may drop: so every hold on it is moved on, at last to
// `finished`, never let go of here.
void Jobs::submit(std::shared_ptr<Job> job, Runtime& runtime) {
  Device* const device = job->device;
  const auto queue = [&](auto work) {
    device ? device->submit(std::move(work)) : runtime.pool.submit(std::move(work));
  };
  queue([job = std::move(job), &runtime, device]() mutable {
    // "auto" looks for its device here, beside the event loop; where there is none, the pool has the job
    if (device && job->automatic && !device->is_usable()) {
      job->device = nullptr;
      return submit(std::move(job), runtime);
    }
    run(std::move(job), runtime, device);
  });
}

void Jobs::run(std::shared_ptr<Job> job, Runtime& runtime, Device* device) {
  if (!job->take()) return;  // cancelled while it waited
  Context context{runtime.pool, runtime.memory, job->control};
  const auto on_device = [&] {
    context.device = device;
    try {
      device->open();
      job->result = job->work.run(context, cuda_backend());
    } catch (const Error& error) {
      if (error.code == Code::device_lost) device->lose(error.what());
      device->tidy();
      throw;
    }
    device->tidy();
  };
  const auto on_processor = [&] {
    context.device = nullptr;
    job->result = job->work.run(context, cpu_backend());
  };
  try {
    context.check();
    if (!device)
      on_processor();
    else if (!job->automatic)
      on_device();
    else
      try {
        on_device();
      } catch (const Error& error) {
        // results that are there already may have replaced what they were made from
        if (error.code == Code::cancelled || error.code == Code::out_of_range || job->control.written) throw;
        on_processor();
      }
  } catch (const Error& error) {
    job->error = error;
  } catch (const std::bad_alloc&) {
    job->error = Error(Code::out_of_memory, "The operating system refused working memory.");
  } catch (const std::exception& error) {
    job->error = Error(Code::internal, std::string("Unexpected failure in native code: ") + error.what());
  }
  job->work = {};
  runtime.borrows.give_back(job->borrows);
  finish(std::move(job));
}

void Jobs::finish(std::shared_ptr<Job> job) {
  const std::shared_ptr<Shared> shared = job->shared;
  std::lock_guard lock(shared->mutex);
  shared->finished.push_back(std::move(job));
  if (!shared->closing) shared->wake.NonBlockingCall();
  if (--shared->running == 0) shared->idle.notify_all();
}

// A job that still waits behind others ends at once; a running one within a chunk.
void Jobs::cancel(uint64_t id) {
  const auto found = pending_.find(id);
  if (found == pending_.end()) return;
  const std::shared_ptr<Job> job = found->second;
  job->control.cancelled = true;
  if (!job->take()) return;
  job->error = Error(Code::cancelled, "The job was cancelled.");
  job->work = {};
  runtime_->borrows.give_back(job->borrows);
  finish(job);
}

void Jobs::on_wake(Napi::Env env, Napi::Function, Jobs* jobs, void*) {
  if (env != nullptr && jobs) jobs->settle(env);
}

// Plain Node-API from here on: in an environment that is being terminated every call into JavaScript fails, which the C++ wrapper
// turns into exceptions that nobody could catch. A failed call changes nothing here.
namespace {

void call_progress(napi_env env, napi_value callback, int64_t done, int64_t total) {
  napi_value undefined, counts[2], ignored;
  if (napi_get_undefined(env, &undefined) != napi_ok || napi_create_double(env, double(done), &counts[0]) != napi_ok ||
      napi_create_double(env, double(total), &counts[1]) != napi_ok)
    return;
  napi_call_function(env, undefined, callback, 2, counts, &ignored);  // lib/native/job.ts lets nothing throw through it
}

void set_number(napi_env env, napi_value object, const std::string& name, double value) {
  napi_value number;
  if (napi_create_double(env, value, &number) == napi_ok) napi_set_named_property(env, object, name.c_str(), number);
}

void reject(napi_env env, napi_deferred deferred, const Error& error) {
  napi_value code, message, js, details;
  if (napi_create_string_utf8(env, code_name(error.code), NAPI_AUTO_LENGTH, &code) != napi_ok ||
      napi_create_string_utf8(env, error.what(), NAPI_AUTO_LENGTH, &message) != napi_ok ||
      napi_create_error(env, code, message, &js) != napi_ok)
    return;
  if ((!error.details.empty() || !error.device.empty()) && napi_create_object(env, &details) == napi_ok) {
    for (const auto& [name, value] : error.details) set_number(env, details, name, value);
    napi_value device;
    if (!error.device.empty() &&
        napi_create_string_utf8(env, error.device.c_str(), NAPI_AUTO_LENGTH, &device) == napi_ok)
      napi_set_named_property(env, details, "device", device);
    napi_set_named_property(env, js, "details", details);
  }
  napi_reject_deferred(env, deferred, js);
}

void resolve(napi_env env, napi_deferred deferred, const Numbers& numbers) {
  napi_value result;
  if (napi_create_object(env, &result) != napi_ok) return;
  for (const auto& [name, value] : numbers) set_number(env, result, name, value);
  napi_resolve_deferred(env, deferred, result);
}

}  // namespace

void Jobs::settle(Napi::Env env) {
  Napi::HandleScope scope(env);
  std::deque<std::shared_ptr<Job>> finished;
  {
    std::lock_guard lock(shared_->mutex);
    finished.swap(shared_->finished);
  }
  auto tell = [&](Job& job, int64_t done) {
    const int64_t total = job.control.total;
    napi_value callback;
    if (job.on_progress.IsEmpty() || total <= 0 || done <= job.reported) return;
    job.reported = done;
    if (napi_get_reference_value(env, job.on_progress, &callback) == napi_ok && callback)
      call_progress(env, callback, done, total);
  };
  std::vector<std::shared_ptr<Job>> reporting;
  for (auto& [id, job] : pending_)
    if (job->report.exchange(false) && !job->control.cancelled) reporting.push_back(job);
  for (auto& job : reporting) tell(*job, std::min<int64_t>(job->control.done, job->control.total - 1));
  for (auto& job : finished) {
    if (!job->error) tell(*job, job->control.total);
    if (job->error)
      reject(env, job->deferred, *job->error);
    else
      resolve(env, job->deferred, job->result);
    job->let_go_of_javascript();
    pending_.erase(job->id);
  }
  if (pending_.empty() && !finished.empty()) shared_->wake.Unref(env);
}

}  // namespace sino
