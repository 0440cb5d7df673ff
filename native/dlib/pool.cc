#include "pool.h"

#include <algorithm>
#include <array>
#include <exception>
#include <new>
#include <tuple>
#include <utility>

namespace patchstream {

Pool::Pool(napi_env env, napi_value callback, int32_t threads)
    : env_(env), most_(std::max(1, threads)), done_(env, callback, "patchstream faces", this, deliver) {
  // Hooks run last in, first out: the threads are gone before the thread-safe function is.
  napi_add_env_cleanup_hook(env, [](void* self) { static_cast<Pool*>(self)->stop(); }, this);
}

Pool::~Pool() { stop(); }

void Pool::submit(int32_t id, const Grey& picture, int32_t steps, double least, std::string model, napi_value pixels) {
  auto slot = std::make_unique<Slot>();
  Job* job = &slot->job;
  job->id = id;
  job->picture = picture;
  job->steps = steps;
  job->least = least;
  job->model = std::move(model);
  // All that may find no memory, or no thread, comes first: then no thread knows the job.
  const auto place = open_.emplace(id, std::move(slot)).first;
  try {
    done_.reserve(1);
    const std::lock_guard<std::mutex> lock(threads_.mutex);
    std::deque<Job*>& waiting = threads_.waiting;
    waiting.push_back(job);
    try {
      if (threads_.idle() < waiting.size() && threads_.count() < most_) threads_.start([this] { work(); });
    } catch (...) {
      waiting.pop_back();
      throw;
    }
  } catch (...) {
    open_.erase(place);
    throw;
  }
  // No job ends before this function has returned: JavaScript hears of it in a later turn.
  napi_create_reference(env_, pixels, 1, &place->second->pixels);
  done_.opened(1);
  threads_.wake();
}

void Pool::cancel(int32_t id) {
  const auto found = open_.find(id);
  if (found == open_.end()) return;
  Job* job = &found->second->job;
  job->unwanted = true;
  {
    const std::lock_guard<std::mutex> lock(threads_.mutex);
    std::deque<Job*>& waiting = threads_.waiting;
    const auto place = std::find(waiting.begin(), waiting.end(), job);
    if (place == waiting.end()) return;
    waiting.erase(place);
  }
  job->outcome = Outcome::cancelled;
  report(job);
}

void Pool::stop() { threads_.stop(); }

void Pool::work() {
  standBack();
  std::optional<Detector> detector;
  while (true) {
    Job* job = nullptr;
    {
      std::unique_lock<std::mutex> lock(threads_.mutex);
      if (!threads_.wait(lock, [] { return true; })) return;
      job = threads_.waiting.front();
      threads_.waiting.pop_front();
    }
    detect(detector, *job);
    report(job);
  }
}

// An exception that left the thread would end the process, so that what a handler does must not throw either.
void Pool::detect(std::optional<Detector>& detector, Job& job) noexcept {
  try {
    try {
      if (!detector.has_value()) detector.emplace();
      // First, so that what is wrong with it is known at once.
      const std::shared_ptr<const Landmarks> landmarks = job.model.empty() ? nullptr : Landmarks::at(job.model);
      detector->detect(job.picture, job.steps, job.least, job.faces);
      if (landmarks != nullptr) {
        for (const Face& face : job.faces) job.landmarks.push_back(landmarks->find(job.picture, face));
      }
      job.outcome = job.unwanted ? Outcome::cancelled : Outcome::done;
    } catch (const ModelError& error) {
      job.outcome = Outcome::model;
      job.message = error.what();
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& error) {
      detector.reset();
      job.outcome = Outcome::failed;
      job.message = error.what();
    }
  } catch (...) {
    // What the detector was at is half made.
    detector.reset();
    job.outcome = Outcome::memory;
  }
}

void Pool::report(Job* job) { done_.add(std::array<Job*, 1>{job}); }

void Pool::deliver(napi_env env, napi_value callback, void* context, void*) {
  if (env == nullptr) return;
  auto* self = static_cast<Pool*>(context);
  const std::vector<Job*>& ended = self->done_.take();
  self->done_.listen();
  // By their numbers, since JavaScript may submit further jobs meanwhile, for which there must be room.
  for (size_t i = 0; i < ended.size(); i++) {
    const Job* job = ended[i];
    const auto found = self->open_.find(job->id);
    const std::unique_ptr<Slot> slot = std::move(found->second);
    self->open_.erase(found);
    napi_delete_reference(env, slot->pixels);
    self->done_.closed(1);
    self->hand(env, callback, slot->job);
  }
}

// Calls JavaScript with (id, outcome, faces, message): five numbers of each face, [left, top, width, height, confidence], and where landmarks are wanted
// those, x and y of each.
void Pool::hand(napi_env env, napi_value callback, const Job& job) {
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value buffer = nullptr;
  void* data = nullptr;
  const size_t faces = job.outcome == Outcome::done ? job.faces.size() : 0;
  const bool landmarks = job.landmarks.size() == job.faces.size();
  const size_t count = faces * (5 + (landmarks ? std::tuple_size_v<Landmarks::Points> : 0));
  if (napi_create_arraybuffer(env, count * sizeof(double), &data, &buffer) == napi_ok) {
    napi_value given[4] = {};
    napi_create_int32(env, job.id, &given[0]);
    napi_create_int32(env, static_cast<int32_t>(job.outcome), &given[1]);
    napi_create_typedarray(env, napi_float64_array, count, buffer, 0, &given[2]);
    napi_create_string_utf8(env, job.message.c_str(), job.message.size(), &given[3]);
    auto* numbers = static_cast<double*>(data);
    for (size_t i = 0; i < faces; i++) {
      const Face& face = job.faces[i];
      for (const int64_t number : {face.left, face.top, face.width, face.height}) *numbers++ = static_cast<double>(number);
      *numbers++ = face.confidence;
      if (landmarks) numbers = std::copy(job.landmarks[i].begin(), job.landmarks[i].end(), numbers);
    }
    napi_value receiver;
    napi_get_undefined(env, &receiver);
    napi_call_function(env, receiver, callback, 4, given, nullptr);
  }
  napi_close_handle_scope(env, scope);
}

}  // namespace patchstream
