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
}  // namespace

struct Jobs::Job {
  explicit Job(Napi::Env env) : deferred(Napi::Promise::Deferred::New(env)) {}
  uint64_t id = 0;
  JobControl control;
  Work work;
  std::optional<Error> error;
  Numbers result;
  std::vector<Borrow> borrows;
  std::shared_ptr<Shared> shared;
  std::atomic<int64_t> next_report_ms{0};
  std::atomic<bool> report{false};
  int64_t reported = -1;
  // JavaScript thread only:
  Napi::Promise::Deferred deferred;
  Napi::FunctionReference on_progress;
  std::vector<Napi::ObjectReference> kept;
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
  add_mar_operations(readers_);
  add_physics_operations(readers_);
  add_pixel_operations(readers_);
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
  for (auto& [id, job] : pending_) job->control.cancelled = true;
  shared_->idle.wait(lock, [&] { return shared_->running == 0; });  // cancelled jobs stop within 50 ms
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

  auto job = std::make_shared<Job>(env);
  try {
    Arguments arguments(info[1].As<Napi::Object>(), runtime_->memory);
    int64_t total = 0;
    job->work = reader->second(arguments, &total);
    job->control.total = total;
    runtime_->borrows.take(arguments.borrows);
    job->borrows = std::move(arguments.borrows);
    job->kept = std::move(arguments.kept);
  } catch (const Error& error) {
    throw to_js(env, error);
  } catch (const std::exception& error) {
    throw to_js(env, Error(Code::internal, error.what()));
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
  handle.Set("promise", job->deferred.Promise());
  if (pending_.empty()) shared_->wake.Ref(env);
  pending_[job->id] = job;
  {
    std::lock_guard lock(shared_->mutex);
    shared_->running++;
  }
  // A Job holds references to JavaScript objects, which only the JavaScript thread may drop: so the pool's hold on it is moved to
  // `finished`, never let go of here.
  runtime_->pool.submit([job, runtime = runtime_.get()]() mutable {
    try {
      const Context context{runtime->pool, runtime->memory, job->control};
      context.check();
      job->result = job->work(context);
    } catch (const Error& error) {
      job->error = error;
    } catch (const std::bad_alloc&) {
      job->error = Error(Code::out_of_memory, "The operating system refused working memory.");
    } catch (const std::exception& error) {
      job->error = Error(Code::internal, std::string("Unexpected failure in native code: ") + error.what());
    }
    job->work = nullptr;
    runtime->borrows.give_back(job->borrows);
    const std::shared_ptr<Shared> shared = job->shared;
    std::lock_guard lock(shared->mutex);
    shared->finished.push_back(std::move(job));
    if (!shared->closing) shared->wake.NonBlockingCall();
    if (--shared->running == 0) shared->idle.notify_all();
  });
  return handle;
}

void Jobs::cancel(uint64_t id) {
  const auto found = pending_.find(id);
  if (found != pending_.end()) found->second->control.cancelled = true;
}

void Jobs::on_wake(Napi::Env env, Napi::Function, Jobs* jobs, void*) {
  if (env != nullptr && jobs) jobs->settle(env);
}

void Jobs::settle(Napi::Env env) {
  Napi::HandleScope scope(env);
  std::deque<std::shared_ptr<Job>> finished;
  {
    std::lock_guard lock(shared_->mutex);
    finished.swap(shared_->finished);
  }
  // Progress callbacks come from lib/native/job.ts, which lets nothing throw through here.
  auto tell = [&](Job& job, int64_t done) {
    const int64_t total = job.control.total;
    if (job.on_progress.IsEmpty() || total <= 0 || done <= job.reported) return;
    job.reported = done;
    job.on_progress.Call({Napi::Number::New(env, double(done)), Napi::Number::New(env, double(total))});
  };
  std::vector<std::shared_ptr<Job>> reporting;
  for (auto& [id, job] : pending_)
    if (job->report.exchange(false) && !job->control.cancelled) reporting.push_back(job);
  for (auto& job : reporting) tell(*job, std::min<int64_t>(job->control.done, job->control.total - 1));
  for (auto& job : finished) {
    if (job->error) {
      job->deferred.Reject(to_js(env, *job->error).Value());
    } else {
      tell(*job, job->control.total);
      Napi::Object result = Napi::Object::New(env);
      for (const auto& [name, value] : job->result) result.Set(name, Napi::Number::New(env, value));
      job->deferred.Resolve(result);
    }
    pending_.erase(job->id);
  }
  if (pending_.empty() && !finished.empty()) shared_->wake.Unref(env);
}

}  // namespace sino
