// Looks for the largest errors of the float32 kernels (AVX2), counted from the coefficients as
// given, against a double reference of its own.
//   largest_errors full 1            SELU, alpha 1.673 and 0.3, CELU 0.3: every float in about
//                                    [-128, -2^-30] / input_scale, every 61st elsewhere
//   largest_errors named N           fourteen coefficients, every N-th float
//   largest_errors elu|celu|all N M  M random coefficients (log-uniform, fixed seed), every N-th
//   float
// "small" is where x or the result is below 2^-120.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/cpu/kernels.h"
#include "math/coefficients.h"
using namespace torch_elu;
constexpr int chunk = 4096;
// expm1(t), t<=~0.35 or any negative, double, relative error ~2^-51
static inline __attribute__((always_inline)) void parts(double t, double& p, double& pw) {
  const double shift = 0x1.8p52;
  t = t < -200 ? -200 : t;
  double sn = t * 0x1.71547652b82fep0 + shift;
  double n = sn - shift;
  double r = __builtin_fma(n, -0x1.62e42fefa39efp-1, t);
  r = __builtin_fma(n, -0x1.abc9e3b39803fp-56, r);
  const double c[] = {1. / 2,           1. / 6,        1. / 24,        1. / 120,
                      1. / 720,         1. / 5040,     1. / 40320,     1. / 362880,
                      1. / 3628800,     1. / 39916800, 1. / 479001600, 1. / 6227020800.,
                      1. / 87178291200.};
  double q = c[12];
  for (int i = 11; i >= 0; --i) q = __builtin_fma(q, r, c[i]);
  p = __builtin_fma(q * r, r, r);
  pw = std::bit_cast<double>((std::bit_cast<std::uint64_t>(sn) << 52) + 0x3ff0000000000000ull);
}
static inline double ulpf(double y) {
  std::uint64_t b = (std::bit_cast<std::uint64_t>(y) & 0x7ff0000000000000ull);
  std::uint64_t lo = std::uint64_t(1023 - 126) << 52;
  b = b < lo ? lo : b;
  return std::bit_cast<double>(b - (23ull << 52));
}
struct P {
  double alpha, scale, is;
};
struct W {
  double e;
  float x;
};
struct R {
  W v[4], s;
};  // v: by region: |y|>=2^-120, below ; for x>0
static float x[chunk], y[chunk], sl[chunk], ones[chunk];
static double ev[chunk], es[chunk], yy[chunk];
void upd(W& w, double e, float x) {
  if (!(e <= w.e)) {
    w.e = e;
    w.x = x;
  }
}
R run(const cpu::KernelTable& t, P p, std::uint64_t step, bool pos) {
  Coefficients<float> k(p.alpha, p.scale, p.is);
  R r{};
  std::fill(ones, ones + chunk, 1.f);
  double A = p.alpha * p.scale, S = A * p.is, c = p.is, sc = p.scale;
  std::uint64_t lo = pos ? 0 : 0x80000000u, end = pos ? 0x7f800000u : 0xff800000u;
  const bool dense = step == 1;
  // every float in [-128, -2^-30] / input_scale, about, every 61st elsewhere
  const std::uint32_t from = std::bit_cast<std::uint32_t>(float(-0x1p-30 / p.is)),
                      to = std::bit_cast<std::uint32_t>(float(-128 / p.is));
  if (pos) step = std::max<std::uint64_t>(step, 997);
  for (std::uint64_t b = lo; b <= end;) {
    int n = 0;
    for (; n < chunk && b <= end; b += (dense && !pos && (b < from || b > to) ? 61 : step))
      x[n++] = std::bit_cast<float>((std::uint32_t)b);
    t.float32.forward(y, 1, x, 1, n, k, cpu::Store::cached);
    t.float32.backward_from_input(sl, 1, ones, 1, x, 1, n, k, cpu::Store::cached);
    if (pos) {
      for (int i = 0; i < n; i++) {
        double w = sc * (double)x[i];
        if (std::fabs(w) > 0x1p127 || x[i] == 0) continue;
        upd(r.v[2], std::fabs(y[i] - w) / ulpf(w), x[i]);
        upd(r.v[3], std::fabs(sl[i] - sc) / ulpf(sc), x[i]);
      }
      continue;
    }
    for (int i = 0; i < n; i++) {
      double X = (double)x[i] * c, pp, pw;
      X = X < -1e4 ? -1e4 : X;
      parts(X, pp, pw);
      double w = A * __builtin_fma(pp, pw, pw - 1);
      yy[i] = w;
      ev[i] = std::fabs(y[i] - w) / ulpf(w);
      double z = S * (pw + pw * pp);
      es[i] = std::fabs(sl[i] - z) / ulpf(z);
    }
    double m0 = 0, m2 = 0;
    for (int i = 0; i < n; i++) {
      m0 = std::max(m0, ev[i]);
      m2 = std::max(m2, es[i]);
      if (ev[i] != ev[i] || es[i] != es[i]) m0 = 1e9;
    }
    if (m0 > r.v[0].e || m0 > r.v[1].e)
      for (int i = 0; i < n; i++)
        upd(r.v[std::fabs(yy[i]) >= 0x1p-120 && x[i] <= -0x1p-120f ? 0 : 1], ev[i], x[i]);
    if (m2 > r.s.e)
      for (int i = 0; i < n; i++) upd(r.s, es[i], x[i]);
  }
  return r;
}
int main(int c, char** a) {
  std::string what = a[1];
  std::uint64_t step = strtoull(a[2], 0, 10);
  const auto& t = cpu::kernels_avx2;
  std::vector<P> l;
  if (what == "full")
    l = {{1.6732632423543772848170429916717, 1.0507009873554804934193349852946, 1},
         {1.673, 1, 1},
         {.3, 1, 1},
         {.3, 1, 1 / .3}};
  if (what == "named")
    l = {{1, 1, 1},       {1.6732632423543772848170429916717, 1.0507009873554804934193349852946, 1},
         {1.673, 1, 1},   {.3, 1, 1},
         {.3, 1, 1 / .3}, {7, 1, 1},
         {.1, 1, 1},      {10, 1, 1},
         {-.7, 1, 1},     {1.1, 1, 1},
         {3, 1, 1 / 3.},  {.01, 1, 100},
         {10, 1, .1},     {2, 1, .5}};
  if (what == "elu" || what == "celu" || what == "all") {
    std::mt19937_64 g(23);
    auto u = [&] { return std::ldexp((double)(g() >> 11), -53); };
    for (int i = 0; i < strtol(a[3], 0, 10); i++) {
      double al = std::exp2(-16 + 32 * u());
      if (g() & 1) al = -al;
      double s = 1, is = 1;
      if (what == "celu") {
        al = std::fabs(al);
        is = 1 / al;
      }
      if (what == "all") {
        s = std::exp2(-4 + 8 * u());
        is = std::exp2(-8 + 16 * u());
      }
      l.push_back({al, s, is});
    }
  }
  R best{};
  for (auto& p : l) {
    R r = run(t, p, step, false);
    R q = run(t, p, step, true);
    if (what == "named" || c > 4)
      printf(
          "%-22.17g %-20.17g %-20.17g value %.4f at %-14.9g (small %.4f at %-14.9g) slope %.4f at "
          "%-14.9g x>0 %.4f\n",
          p.alpha, p.scale, p.is, r.v[0].e, r.v[0].x, r.v[1].e, r.v[1].x, r.s.e, r.s.x, q.v[2].e),
          fflush(stdout);
    if (r.v[0].e > best.v[0].e) {
      best.v[0] = r.v[0];
      printf("  value %.4f alpha %a scale %a is %a x %a\n", r.v[0].e, p.alpha, p.scale, p.is,
             r.v[0].x);
    }
    if (r.v[1].e > best.v[1].e) {
      best.v[1] = r.v[1];
      printf("  small %.4f alpha %a scale %a is %a x %a\n", r.v[1].e, p.alpha, p.scale, p.is,
             r.v[1].x);
    }
    if (r.s.e > best.s.e) {
      best.s = r.s;
      printf("  slope %.4f alpha %a scale %a is %a x %a\n", r.s.e, p.alpha, p.scale, p.is, r.s.x);
    }
    if (q.v[2].e > best.v[2].e) {
      best.v[2] = q.v[2];
    }
  }
  printf("%s: worst value %.4f small %.4f slope %.4f positive %.4f\n", what.c_str(), best.v[0].e,
         best.v[1].e, best.s.e, best.v[2].e);
}
