// The operators by the boxed way that TorchScript and Python's torch.ops take, with whatever
// arguments a fuzzer makes of its bytes. What must hold: they refuse what PyTorch's elu refuses and
// take what it takes, give the shape, the strides and the dtype that it gives, the values of the
// formula in wider arithmetic, and write into nothing else.

#include <ATen/ATen.h>
#include <ATen/MemoryOverlap.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch_elu/functional.h>

#include <cmath>
#include <iostream>
#include <limits>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>

#include "operands.h"

namespace torch_elu::fuzz {
namespace {

enum class Operator { elu, inplace, out, backward, plus_one, plus_one_backward };
constexpr const char* kNames[] = {"elu",          "elu_",         "elu",
                                  "elu_backward", "elu_plus_one", "elu_plus_one_backward"};
// PyTorch's elu takes and refuses the same tensors as elu_plus_one.
constexpr const char* kNamesInPyTorch[] = {"elu",          "elu_", "elu",
                                           "elu_backward", "elu",  "elu_backward"};
constexpr const char* kOverloads[] = {"", "", "out", "", "", ""};

at::Scalar choose_coefficient(Choices& choices) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  static constexpr double kValues[] = {1,         1.6732632423543772,
                                       0.1,       0.0,
                                       -0.0,      -0.7,
                                       3,         1e-30,
                                       1e30,      1e-45,
                                       1e-310,    1e300,
                                       -1e-300,   infinity,
                                       -infinity, std::numeric_limits<double>::quiet_NaN()};
  switch (choices.below(12)) {
    case 8:
      return choices.number<std::int8_t>();
    case 9:
      return choices.number<double>();
    case 10:
      return choices.one_in(2);
    case 11:
      return c10::complex<double>(1, static_cast<double>(choices.below(2)));
    case 6:
    case 7:
      return choices.one_of(kValues);
    default:
      return 1;
  }
}

struct Arguments {
  at::Scalar alpha, scale, input_scale;
  bool flag;  // save_output or is_result
};

// The arguments of one call; `bases` are what the tensors are views of.
struct Call {
  Operator op;
  Arguments arguments;
  View self, other;  // other: out, or grad_output
  bool shares_base;  // then other is a view of the base of self
  std::vector<at::Tensor> bases;

  at::Tensor self_tensor() const { return self.of(bases[0]); }
  at::Tensor other_tensor() const { return other.of(bases[shares_base ? 0 : 1]); }

  bool is_plus_one() const { return op == Operator::plus_one || op == Operator::plus_one_backward; }
  bool is_backward() const { return op == Operator::backward || op == Operator::plus_one_backward; }

  Call copy() const {
    Call result = *this;
    for (auto& base : result.bases) base = base.clone();
    return result;
  }
};

Call choose_call(Choices& choices) {
  static constexpr at::ScalarType kOthers[] = {at::kInt, at::kBool, at::kLong, at::kComplexFloat,
                                               at::kByte};
  const auto op = static_cast<Operator>(choices.below(6));
  const auto choose_dtype = [&] {
    return choices.one_in(24) ? choices.one_of(kOthers) : choices.one_of(kFloats);
  };
  Call call{.op = op,
            .arguments = {choose_coefficient(choices), choose_coefficient(choices),
                          choose_coefficient(choices), choices.one_in(2)},
            .self = choose_view(choices, choose_sizes(choices)),
            .other = {},
            .shares_base = choices.one_in(6),
            .bases = {}};
  if (call.is_plus_one()) call.arguments = {1, 1, 1, false};
  const auto dtype = choose_dtype();
  const auto other_dtype = choices.one_in(12) ? choose_dtype() : dtype;
  auto sizes = call.self.sizes;
  if (choices.one_in(8)) sizes = choose_sizes(choices);
  if (call.is_backward() && choices.one_in(4) && !sizes.empty()) sizes[0] = 1;  // broadcasts
  if (call.is_backward() && broadcast_numel(sizes, call.self.sizes) > 1'000'000) {
    sizes = call.self.sizes;
  }
  call.other = choose_view(choices, sizes);
  // Exactly the input, more often than chance would have it.
  if (call.shares_base && choices.one_in(2)) call.other = call.self;

  const auto seed = choices.number<std::uint32_t>();
  const auto extent = call.self.extent(), other_extent = call.other.extent();
  call.bases.push_back(
      make_base(seed, call.shares_base ? std::max(extent, other_extent) : extent, dtype));
  if (!call.shares_base) call.bases.push_back(make_base(seed + 1, other_extent, other_dtype));
  return call;
}

struct Outcome {
  std::optional<at::Tensor> result;
  std::string error;
};

// A complex coefficient is what PyTorch's Scalar refuses with a std::runtime_error. Any other
// exception ends the process.
Outcome run(bool is_pytorch, const Call& call, const at::Tensor& self, const at::Tensor& other) {
  const auto& [alpha, scale, input_scale, flag] = call.arguments;
  const auto index = static_cast<std::size_t>(call.op);
  const auto name = is_pytorch ? std::string("aten::") + kNamesInPyTorch[index]
                               : std::string("torch_elu::") + kNames[index];
  const auto op = c10::Dispatcher::singleton().findSchemaOrThrow(name.c_str(), kOverloads[index]);
  torch::jit::Stack stack;
  if (call.is_plus_one() && !is_pytorch) {
    if (call.is_backward()) stack.emplace_back(other);
    stack.emplace_back(self);
  } else if (call.is_backward()) {
    stack = {other, alpha, scale, input_scale, flag, self};
  } else {
    stack = {self, alpha, scale, input_scale};
    if (call.op == Operator::out) stack.emplace_back(other);
    if (call.op == Operator::elu && !is_pytorch) stack.emplace_back(flag);
  }
  try {
    op.callBoxed(stack);
  } catch (const c10::Error& error) {
    return {std::nullopt, error.what_without_backtrace()};
  } catch (const std::runtime_error& error) {
    return {std::nullopt, error.what()};
  }
  return {stack.at(0).toTensor(), ""};
}

[[noreturn]] void fail(const Call& call, const std::string& what) {
  const auto& c = call.arguments;
  std::cerr << "operator " << kNames[static_cast<int>(call.op)] << "."
            << kOverloads[static_cast<int>(call.op)] << ", alpha " << c.alpha << ", scale "
            << c.scale << ", input_scale " << c.input_scale << ", flag " << c.flag << ", self "
            << call.bases[0].scalar_type() << at::IntArrayRef(call.self.sizes) << " strides "
            << at::IntArrayRef(call.self.strides) << " offset " << call.self.offset << ", other "
            << call.bases.back().scalar_type() << at::IntArrayRef(call.other.sizes) << " strides "
            << at::IntArrayRef(call.other.strides) << " offset " << call.other.offset
            << (call.shares_base ? ", in the same memory" : "") << ": " << what << "\n";
  std::abort();
}

// The bytes of a tensor, so that NaN equals itself.
at::Tensor bytes(const at::Tensor& base) { return base.view(at::kByte); }

// In wider arithmetic; NaN where this reference has nothing to say.
struct Reference {
  long double alpha, scale, input_scale;

  long double value(long double x) const {
    return x > 0 ? scale * x : alpha * scale * std::expm1(input_scale * x);
  }
  long double slope(long double x) const {
    return x > 0 ? scale : alpha * scale * input_scale * std::exp(input_scale * x);
  }
};

long double plus_one(long double x) { return x > 0 ? x + 1 : std::exp(x); }
long double slope_from_plus_one(long double y) { return y < 1 ? y : 1; }

// Within four last places of the dtype, at the larger of the exact result and what else is given.
bool is_close(double got, long double exact, at::ScalarType dtype, long double beside) {
  struct Dtype {
    long double epsilon, largest, smallest;
  };
  const Dtype d = dtype == at::kDouble
                      ? Dtype{0x1p-52L, std::numeric_limits<double>::max(), 5e-324L}
                  : dtype == at::kFloat ? Dtype{0x1p-23L, std::numeric_limits<float>::max(), 2e-45L}
                  : dtype == at::kHalf  ? Dtype{0x1p-10L, 65504, 0x1p-24L}
                                        : Dtype{0x1p-7L, 0x1.fep127L, 0x1p-133L};
  if (std::abs(exact) >= d.largest) {  // near enough to infinity is either
    return std::signbit(got) == std::signbit(exact) &&
           std::abs(got) >= d.largest * (1 - 4 * d.epsilon);
  }
  return std::abs(got - exact) <= 4 * d.epsilon * std::abs(exact) + d.smallest + beside;
}

bool is_plain(const at::Scalar& coefficient) {
  if (coefficient.isComplex()) return false;
  const double value = std::abs(coefficient.toDouble());
  return value == 0 || (value >= 1e-30 && value <= 1e30);
}

void check_values(const Call& call, const at::Tensor& result, const at::Tensor& self,
                  const at::Tensor& grad) {
  const auto& c = call.arguments;
  // Of an out whose elements share memory PyTorch refuses the plain cases alone; what is there in
  // the end is one of several values.
  if (at::has_internal_overlap(result) != at::MemOverlap::No) return;
  // So it is with an input that overlaps the result in a way PyTorch finds too hard to tell, or
  // that the result comes to overlap when it gets its size.
  if (call.op == Operator::out && call.shares_base) {
    if (result.sizes() != at::IntArrayRef(call.other.sizes)) return;
    const auto overlap = at::get_overlap_status(call.other_tensor(), self);
    if (overlap != at::MemOverlapStatus::Full && overlap != at::MemOverlapStatus::No) return;
  }
  if (!is_plain(c.alpha) || !is_plain(c.scale) || !is_plain(c.input_scale)) return;
  const Reference reference{c.alpha.toDouble(), c.scale.toDouble(), c.input_scale.toDouble()};
  const auto dtype = result.scalar_type();
  const auto shape = result.sizes();
  const auto got = result.to(at::kDouble).contiguous();
  const auto x = self.to(at::kDouble).expand(shape).contiguous();
  const auto upstream =
      call.is_backward() ? grad.to(at::kDouble).expand(shape).contiguous() : at::Tensor();
  for (int64_t i = 0; i < got.numel(); ++i) {
    const double input = x.const_data_ptr<double>()[i], output = got.const_data_ptr<double>()[i];
    long double exact = 0, beside = 0;
    if (!call.is_backward()) {
      exact = call.is_plus_one() ? plus_one(input) : reference.value(input);
    } else {
      const double gradient = upstream.const_data_ptr<double>()[i];
      // What is left of y + alpha where it cancels depends on the rounding of alpha; and infinity
      // times a slope that has become zero is NaN.
      if (c.flag || !std::isfinite(gradient)) continue;
      const long double slope =
          call.is_plus_one() ? slope_from_plus_one(input) : reference.slope(input);
      const bool is_wide = dtype == at::kDouble;
      // Nor is zero times a slope beyond the numbers of the computation a number.
      if (std::abs(slope) >
          (is_wide ? std::numeric_limits<double>::max() : std::numeric_limits<float>::max())) {
        continue;
      }
      exact = gradient * slope;
      // A subnormal slope has few places.
      beside = std::abs(gradient) * (is_wide ? 5e-324L : 2e-45L);
    }
    if (std::isnan(input) ? std::isnan(output)
                          : std::isnan(exact) || is_close(output, exact, dtype, beside)) {
      continue;
    }
    std::ostringstream message;
    message.precision(20);
    message << "element " << i << ", input " << input << ": " << output << ", not " << exact;
    if (upstream.defined()) message << ", gradient " << upstream.const_data_ptr<double>()[i];
    fail(call, message.str());
  }
}

// Outside of the elements of `written` the base is what it was.
void check_untouched(const Call& call, const at::Tensor& before, at::Tensor after,
                     const View& written) {
  if (written.extent() > 0) {
    after = after.clone();
    written.of(after).copy_(written.of(before));
  }
  if (!at::equal(bytes(after), bytes(before))) fail(call, "memory beside the result has changed");
}

void check(const Call& original) {
  const Call ours = original.copy(), theirs = original.copy();
  const auto self = ours.self_tensor(), other = ours.other_tensor();
  const auto their_self = theirs.self_tensor(), their_other = theirs.other_tensor();
  const auto got = run(/*is_pytorch=*/false, ours, self, other);
  const auto wanted = run(/*is_pytorch=*/true, theirs, their_self, their_other);

  const auto& c = original.arguments;
  // Of the coefficients with which the result does not tell the slope PyTorch refuses a negative
  // alpha alone; and elu_backward promotes no dtype.
  const bool is_hidden = original.is_backward() && c.flag &&
                         got.error.find("from the result only if") != std::string::npos;
  const bool is_mixed =
      original.is_backward() && wanted.result && self.scalar_type() != other.scalar_type();
  if (got.result.has_value() != wanted.result.has_value() && !is_hidden && !is_mixed) {
    fail(original, got.result ? "PyTorch refuses: " + wanted.error : "refused: " + got.error);
  }
  const bool writes_self = original.op == Operator::inplace;
  const bool writes_other = original.op == Operator::out;
  if (!got.result) {
    for (std::size_t i = 0; i < original.bases.size(); ++i) {
      if (!at::equal(bytes(ours.bases[i]), bytes(original.bases[i]))) {
        fail(original, "refused, but the data has changed: " + got.error);
      }
    }
    if (other.sizes() != at::IntArrayRef(original.other.sizes) &&
        other.sizes() != their_other.sizes()) {
      fail(original, "refused, but out has another shape");
    }
    return;
  }
  const auto& result = *got.result;
  if (writes_self && !result.is_same(self)) fail(original, "the result is not self");
  if (writes_other && !result.is_same(other)) fail(original, "the result is not out");
  if (wanted.result) {
    // A gradient is laid out as self, whatever the layout of grad_output, which PyTorch follows.
    const auto like = original.is_backward() ? at::elu(their_self.expand(wanted.result->sizes()))
                                             : *wanted.result;
    if (result.sizes() != like.sizes() || result.strides() != like.strides() ||
        result.scalar_type() != like.scalar_type()) {
      std::ostringstream message;
      message << "result " << result.scalar_type() << result.sizes() << result.strides()
              << ", expected " << like.scalar_type() << like.sizes() << like.strides();
      fail(original, message.str());
    }
  }
  const bool was_resized = writes_other && original.other.sizes != result.sizes().vec();
  if (!was_resized) {
    const std::size_t other_base = original.shares_base ? 0 : 1;
    for (std::size_t i = 0; i < original.bases.size(); ++i) {
      const bool is_written = (writes_self && i == 0) || (writes_other && i == other_base);
      const View none{{0}, {1}, 0};
      check_untouched(original, original.bases[i], ours.bases[i],
                      !is_written   ? none
                      : writes_self ? original.self
                                    : original.other);
    }
  }
  check_values(original, result, original.self_tensor(), original.other_tensor());
}

}  // namespace
}  // namespace torch_elu::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Naming a function keeps the library, which registers the operators. Of a resized out PyTorch
  // warns.
  static const std::string version = torch_elu::version();
  struct Silence : c10::WarningHandler {
    void process(const c10::Warning& /*warning*/) override {}
  } silence;
  const c10::WarningUtils::WarningHandlerGuard no_warnings(&silence);
  torch_elu::fuzz::Choices choices({data, size});
  torch_elu::fuzz::check(torch_elu::fuzz::choose_call(choices));
  return 0;
}
