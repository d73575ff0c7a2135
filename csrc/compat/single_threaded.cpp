// glibc 2.32 and newer tell by this variable whether a process has one thread alone, and the C++
// library then counts shared_ptr without atomic operations. With a variable of its own, hidden, a
// library runs on older systems, too. It must be 0: threads come and go, and nobody would tell it.
extern "C" [[gnu::visibility(
    "hidden")]] char __libc_single_threaded;  // NOLINT(bugprone-reserved-identifier)
char __libc_single_threaded = 0;
