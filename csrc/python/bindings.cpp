// Direct calls from Python into the C++ functions. They serve layers of a few elements, where the
// call is all the time there is: written against CPython (METH_FASTCALL), since pybind11's way to
// the same function takes a quarter longer. functional.py, the only caller, passes every argument
// by position. What is not called for every layer goes through pybind11, below.

#include <pybind11/pybind11.h>
#include <torch/csrc/Exceptions.h>
#include <torch/csrc/autograd/python_variable.h>
#include <torch/csrc/jit/api/module.h>
#include <torch_elu/convert.h>
#include <torch_elu/functional.h>
#include <torch_elu/override_aten.h>
#include <torch_elu/revert.h>

#include <utility>

namespace {

void check_count(Py_ssize_t count, Py_ssize_t expected, const char* function) {
  TORCH_CHECK_TYPE(count == expected, function, "() takes ", expected, " arguments, but got ",
                   count);
}

const at::Tensor& to_tensor(PyObject* object, const char* function) {
  TORCH_CHECK_TYPE(THPVariable_Check(object), function, "(): argument 'input' must be Tensor, not ",
                   Py_TYPE(object)->tp_name);
  return THPVariable_Unpack(object);
}

double to_double(PyObject* object, const char* function) {
  const double value = PyFloat_AsDouble(object);
  if (value == -1.0 && PyErr_Occurred() != nullptr) {
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) {
      throw python_error();
    }
    PyErr_Clear();
    TORCH_CHECK_TYPE(false, function, "(): argument 'alpha' must be Number, not ",
                     Py_TYPE(object)->tp_name);
  }
  return value;
}

bool to_bool(PyObject* object) {
  const int value = PyObject_IsTrue(object);
  if (value < 0) {
    throw python_error();
  }
  return value != 0;
}

// Calls a function of torch_elu while other Python threads run.
template <typename Function>
PyObject* without_gil(const Function& function) {
  at::Tensor result;
  {
    pybind11::gil_scoped_release no_gil;
    result = function();
  }
  return THPVariable_Wrap(std::move(result));
}

PyObject* elu(PyObject* /*module*/, PyObject* const* arguments, Py_ssize_t count) {
  HANDLE_TH_ERRORS
  check_count(count, 4, "elu");
  at::Tensor input = to_tensor(arguments[0], "elu");
  const double alpha = to_double(arguments[1], "elu");
  const bool inplace = to_bool(arguments[2]);
  const bool save_output = to_bool(arguments[3]);
  return without_gil([&] {
    using Options = torch_elu::ELUFuncOptions;
    return torch_elu::elu(input, Options().alpha(alpha).inplace(inplace).save_output(save_output));
  });
  END_HANDLE_TH_ERRORS
}

PyObject* selu(PyObject* /*module*/, PyObject* const* arguments, Py_ssize_t count) {
  HANDLE_TH_ERRORS
  check_count(count, 2, "selu");
  at::Tensor input = to_tensor(arguments[0], "selu");
  const bool inplace = to_bool(arguments[1]);
  return without_gil(
      [&] { return torch_elu::selu(input, torch_elu::SELUFuncOptions().inplace(inplace)); });
  END_HANDLE_TH_ERRORS
}

PyObject* celu(PyObject* /*module*/, PyObject* const* arguments, Py_ssize_t count) {
  HANDLE_TH_ERRORS
  check_count(count, 4, "celu");
  at::Tensor input = to_tensor(arguments[0], "celu");
  const double alpha = to_double(arguments[1], "celu");
  const bool inplace = to_bool(arguments[2]);
  const bool save_output = to_bool(arguments[3]);
  return without_gil([&] {
    using Options = torch_elu::CELUFuncOptions;
    return torch_elu::celu(input, Options().alpha(alpha).inplace(inplace).save_output(save_output));
  });
  END_HANDLE_TH_ERRORS
}

PyObject* elu_plus_one(PyObject* /*module*/, PyObject* const* arguments, Py_ssize_t count) {
  HANDLE_TH_ERRORS
  check_count(count, 1, "elu_plus_one");
  const at::Tensor input = to_tensor(arguments[0], "elu_plus_one");
  return without_gil([&] { return torch_elu::elu_plus_one(input); });
  END_HANDLE_TH_ERRORS
}

using FastFunction = PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t);

PyMethodDef method(const char* name, FastFunction function) {
  // CPython's own way to name a METH_FASTCALL function.
  return {name, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function)),
          METH_FASTCALL, nullptr};
}

// The converted model, and how many activations were replaced. torch_python holds the type of
// torch._C.ScriptModule.
std::pair<torch::jit::Module, int64_t> convert_script(torch::jit::Module module, bool save_output) {
  const int64_t count =
      torch_elu::convert(module, torch_elu::ConvertOptions().save_output(save_output));
  return {std::move(module), count};
}

std::pair<torch::jit::Module, int64_t> revert_script(torch::jit::Module module) {
  // Around the count alone: a warning that is an error is thrown once the result has been made, and
  // with a pair the process then crashed as it ended (GCC 12).
  const int64_t count = torch::wrap_pybind_function(&torch_elu::revert)(module);
  return {std::move(module), count};
}

}  // namespace

PYBIND11_MODULE(_C, module) {  // NOLINT(bugprone-reserved-identifier): the name is CPython's
  static PyMethodDef methods[] = {method("elu", &elu),
                                  method("selu", &selu),
                                  method("celu", &celu),
                                  method("elu_plus_one", &elu_plus_one),
                                  {nullptr, nullptr, 0, nullptr}};
  if (PyModule_AddFunctions(module.ptr(), methods) != 0) {
    throw pybind11::error_already_set();
  }
  // An extension of somebody else's may have a class for it, too.
  pybind11::class_<torch_elu::OverrideAten>(module, "OverrideAten", pybind11::module_local())
      .def(pybind11::init([](bool cuda) {
        return torch_elu::OverrideAten(torch_elu::OverrideAtenOptions().cuda(cuda));
      }));
  module.def("convert_script", &convert_script);
  module.def("revert_script", &revert_script);
}
