// Memory around which nothing can be read or written unseen. The pages before and behind it are
// inaccessible; under AddressSanitizer and valgrind every byte outside of the run is, so that their
// reports are exact.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#else
#define VALGRIND_MAKE_MEM_NOACCESS(from, bytes) (void)0
#define VALGRIND_MAKE_MEM_DEFINED(from, bytes) (void)0
#define VALGRIND_MAKE_MEM_UNDEFINED(from, bytes) (void)0
#define VALGRIND_CHECK_MEM_IS_DEFINED(from, bytes) 0
#endif

namespace torch_elu::tests {

class FencedMemory {
 public:
  // As near as the alignment allows to the inaccessible page before it or behind it.
  enum class Place { first, last };

  // For runs of at most so many bytes.
  explicit FencedMemory(std::size_t most) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    bytes_ = (most + alignment + page - 1) / page * page;
    mapped_ = bytes_ + 2 * page;
    void* const memory =
        mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    begin_ = static_cast<unsigned char*>(memory) + page;
    if (mprotect(begin_, bytes_, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
  }
  ~FencedMemory() {
    open();
    munmap(begin_ - (mapped_ - bytes_) / 2, mapped_);
  }
  FencedMemory(const FencedMemory&) = delete;
  FencedMemory& operator=(const FencedMemory&) = delete;

  // A run of so many bytes at an address that is `offset` behind a multiple of 64. All else is
  // closed, and what is next to it holds a mark.
  unsigned char* run(std::size_t bytes, std::size_t offset, Place place) {
    open();
    run_ = begin_ + offset;
    if (place == Place::last) run_ += (bytes_ - offset - bytes) / alignment * alignment;
    run_bytes_ = bytes;
    for (unsigned char& byte : before()) byte = mark;
    for (unsigned char& byte : behind()) byte = mark;
    close();
    return run_;
  }

  // Its contents, which are what may be read.
  void fill(const void* from) {
    if (run_bytes_ > 0) std::memcpy(run_, from, run_bytes_);
  }
  // May be written, but not read before.
  void forget() { VALGRIND_MAKE_MEM_UNDEFINED(run_, run_bytes_); }
  // Whether all of it was written, and made of nothing undefined, as far as valgrind is there to
  // know.
  bool is_defined() const { return VALGRIND_CHECK_MEM_IS_DEFINED(run_, run_bytes_) == 0; }

  // Whether nothing next to the run was written: where the fence is not exact, too.
  bool is_untouched_outside() {
    open();
    const auto is_mark = [](unsigned char byte) { return byte == mark; };
    const bool untouched =
        std::ranges::all_of(before(), is_mark) && std::ranges::all_of(behind(), is_mark);
    close();
    return untouched;
  }

 private:
  static constexpr std::size_t alignment = 64;
  static constexpr unsigned char mark = 0xa5;
  static constexpr std::ptrdiff_t marked = 256;  // as much as a kernel stores in one step

  std::span<unsigned char> before() const { return {run_ - std::min(marked, run_ - begin_), run_}; }
  std::span<unsigned char> behind() const {
    unsigned char* const end = run_ + run_bytes_;
    return {end, end + std::min(marked, begin_ + bytes_ - end)};
  }

  void open() {
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(begin_, bytes_);
#endif
    VALGRIND_MAKE_MEM_DEFINED(begin_, bytes_);
  }
  // AddressSanitizer marks eight bytes at a time: of those that the run begins in, all stay open.
  void close() {
#if defined(__SANITIZE_ADDRESS__)
    __asan_poison_memory_region(begin_, bytes_);
    __asan_unpoison_memory_region(run_, run_bytes_);
#endif
    VALGRIND_MAKE_MEM_NOACCESS(begin_, run_ - begin_);
    VALGRIND_MAKE_MEM_NOACCESS(run_ + run_bytes_, begin_ + bytes_ - run_ - run_bytes_);
  }

  std::size_t bytes_ = 0, mapped_ = 0, run_bytes_ = 0;
  unsigned char* begin_ = nullptr;
  unsigned char* run_ = nullptr;
};

}  // namespace torch_elu::tests
