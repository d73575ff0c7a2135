// ThreadSanitizer does not know libgomp, which wakes and awaits its threads by ways of its own:
// every access on the two sides of a parallel region would look like a race. Linked into a test,
// this tells it where a region forks and joins. A suppression instead would hide the races of the
// kernels, which run inside, too.

#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

namespace {

using Body = void (*)(void*);

struct Region {
  Body body;
  void* data;
  char fork, join;  // their addresses are what the threads meet at
};

void run_body(void* argument) {
  auto* region = static_cast<Region*>(argument);
  __tsan_acquire(&region->fork);
  region->body(region->data);
  __tsan_release(&region->join);
}

}  // namespace

// In place of libgomp's, for libtorch, too: the executable's symbols come first.
extern "C" void GOMP_parallel(Body body, void* data, unsigned threads, unsigned flags) {
  static const auto parallel = reinterpret_cast<void (*)(Body, void*, unsigned, unsigned)>(
      dlsym(RTLD_NEXT, "GOMP_parallel"));
  Region region{body, data, 0, 0};
  __tsan_release(&region.fork);
  parallel(run_body, &region, threads, flags);
  __tsan_acquire(&region.join);
}
