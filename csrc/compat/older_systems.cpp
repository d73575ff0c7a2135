// What glibc and the C++ library of older systems lack is defined here, hidden, in each library.
#include <sstream>
#include <string>

// By this variable glibc 2.32 and newer tell whether a process has one thread alone; the C++
// library then counts shared_ptr without atomic operations. It must be 0: nobody would tell it of
// threads.
extern "C" {
// NOLINTNEXTLINE(bugprone-reserved-identifier)
__attribute__((visibility("hidden"))) char __libc_single_threaded = 0;
}

#if defined(__GLIBCXX__)
// Of GCC 11's library, and what PyTorch's headers call in C++20.
template std::string std::basic_stringbuf<char>::str() const&;
#endif
