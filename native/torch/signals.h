// No handler of a signal runs on a thread while it computes. Products of oneDNN before 3.11.2, in libtorch too, use the stack pointer as one more register, and it points
// into the heap for that time (its issue 4845, https://github.com/uxlfoundation/oneDNN/issues/4845; on processors with AVX2 or AVX-512): the frame of a handler, of Ctrl+C
// as much as of a profiler, would be written over whatever lies there.
#pragma once

#include <csignal>
#include <initializer_list>

#include <pthread.h>

namespace patchstream {

// All signals but those that a thread raises by its own fault, or to end the process.
inline sigset_t heldSignals() {
  sigset_t signals;
  sigfillset(&signals);
  for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT}) sigdelset(&signals, own);
  return signals;
}

// From now on, none reaches the calling thread. For threads that only compute: others get what is sent to the process.
inline void holdSignals() {
  const sigset_t signals = heldSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

// As long as it lives, signals of the calling thread wait; threads that it starts meanwhile get none at all.
class SignalsHeld {
 public:
  SignalsHeld() {
    const sigset_t signals = heldSignals();
    pthread_sigmask(SIG_BLOCK, &signals, &before_);
  }
  ~SignalsHeld() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

 private:
  sigset_t before_;
};

}  // namespace patchstream
