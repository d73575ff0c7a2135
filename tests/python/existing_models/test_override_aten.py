"""override_aten: PyTorch's own elu runs our CPU kernels, and nothing else of it changes.

Which kernel ran shows in the bits: of 30,000 values and slopes some round otherwise in PyTorch's.
"""

from __future__ import annotations

import io
import threading
import weakref
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
import torch_elu
from conftest import RunPython
from references import SELU, Coefficients, assert_same_bits, celu, in_range
from torch import Tensor, nn
from torch._C import _nn
from torch.autograd import forward_ad

aten = torch.ops.aten
ours = torch.ops.torch_elu

# What is called, and the coefficients of our operator that it comes to.
FUNCTIONS: dict[str, tuple[Callable[[Tensor], Tensor], Coefficients]] = {
    "elu": (F.elu, Coefficients()),
    "elu(0.3)": (lambda x: F.elu(x, 0.3), Coefficients(0.3)),
    "elu, all coefficients": (lambda x: _nn.elu(x, 0.3, 1.7, 0.6), Coefficients(0.3, 1.7, 0.6)),
    "elu in place": (lambda x: F.elu(x * 1, 0.3, inplace=True), Coefficients(0.3)),
    "elu.out": (lambda x: _nn.elu(x, 0.3, out=torch.empty_like(x)), Coefficients(0.3)),
    "selu": (F.selu, SELU),
    "selu in place": (lambda x: F.selu(x * 1, inplace=True), SELU),
    "celu(0.5)": (lambda x: F.celu(x, 0.5), celu(0.5)),
    "celu in place": (lambda x: F.celu(x * 1, 0.5, inplace=True), celu(0.5)),
    "nn.ELU": (nn.ELU(0.3), Coefficients(0.3)),
    "nn.SELU": (nn.SELU(), SELU),
    "nn.CELU": (nn.CELU(0.5), celu(0.5)),
}
parametrize_functions = pytest.mark.parametrize(
    ("function", "c"), FUNCTIONS.values(), ids=FUNCTIONS.keys()
)
parametrize_wide_dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)


def inputs(dtype: torch.dtype = torch.float32) -> Tensor:
    return in_range(dtype, 30_000, -8, 2)


def runs_ours() -> bool:
    x = inputs()
    return torch.equal(F.elu(x), torch_elu.elu(x))


@pytest.fixture(autouse=True)
def nothing_is_overridden_before_or_after() -> object:
    assert not runs_ours()
    yield
    assert not runs_ours()


@pytest.mark.skipif(bool(ours.cuda_version()), reason="this build has CUDA kernels")
def test_cuda_is_refused_by_a_build_without_cuda_kernels() -> None:
    with pytest.raises(RuntimeError, match=r"override_aten\(cuda=True\) expected a torch_elu with"):
        torch_elu.override_aten(cuda=True)


@parametrize_functions
@parametrize_wide_dtypes
def test_values_have_our_bits_inside_and_pytorchs_outside(
    function: Callable[[Tensor], Tensor], c: Coefficients, dtype: torch.dtype
) -> None:
    x = inputs(dtype)
    before = function(x)
    with torch_elu.override_aten():
        inside = function(x)
    assert_same_bits(inside, ours.elu(x, *c))
    assert not torch.equal(inside, before)
    assert_same_bits(function(x), before)


@parametrize_functions
@parametrize_wide_dtypes
def test_gradients_have_our_bits(
    function: Callable[[Tensor], Tensor], c: Coefficients, dtype: torch.dtype
) -> None:
    if function is FUNCTIONS["elu.out"][0]:
        return  # records no gradient
    x = inputs(dtype).requires_grad_()
    in_place = any(function is FUNCTIONS[name][0] for name in FUNCTIONS if "in place" in name)
    grad_output = torch.randn(x.shape, dtype=dtype)
    with torch_elu.override_aten():
        (grad,) = torch.autograd.grad(function(x), x, grad_output)
    (pytorchs,) = torch.autograd.grad(function(x), x, grad_output)
    saved = ours.elu(x, *c) if in_place else x
    assert_same_bits(grad, ours.elu_backward(grad_output, *c, in_place, saved).detach())
    if not in_place:  # found from the result by the same multiplication
        assert not torch.equal(grad, pytorchs)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_halves_keep_their_values(dtype: torch.dtype) -> None:
    x = inputs(dtype)
    with torch_elu.override_aten():
        assert_same_bits(F.elu(x, 0.3), ours.elu(x, 0.3))


def test_the_overload_with_grad_input_runs_our_kernel() -> None:
    x, grad_output = inputs(), torch.randn(30_000)
    out = torch.empty(7, 0)
    with torch_elu.override_aten():
        aten.elu_backward.grad_input(grad_output, 0.3, 1, 1, False, x, grad_input=out)
    assert_same_bits(out, ours.elu_backward(grad_output, 0.3, 1, 1, False, x))


# Begin and end


def test_overrides_nest_and_end_in_any_order() -> None:
    with torch_elu.override_aten():
        with torch_elu.override_aten():
            assert runs_ours()
        assert runs_ours()
    assert not runs_ours()
    first, second = torch_elu.override_aten(), torch_elu.override_aten()
    first.remove()
    assert runs_ours()
    first.remove()  # ends once
    assert runs_ours()
    second.remove()
    assert not runs_ours()


def test_an_error_inside_ends_it_too() -> None:
    with pytest.raises(ZeroDivisionError), torch_elu.override_aten():
        raise ZeroDivisionError
    assert not runs_ours()


def test_an_ended_override_begins_again_with_a_block() -> None:
    override = torch_elu.override_aten()
    override.remove()
    with override:
        assert runs_ours()


def test_one_and_the_same_override_ends_with_its_outermost_block() -> None:
    override = torch_elu.override_aten()
    for _ in range(2):
        with override:
            with override:
                with override:
                    assert runs_ours()
                assert runs_ours()
            assert runs_ours()
        assert not runs_ours()
    with override:
        with override:
            override.remove()
            assert not runs_ours()
        assert not runs_ours()
    assert not runs_ours()


def test_a_block_on_another_thread_does_not_end_with_this_one() -> None:
    override = torch_elu.override_aten()
    has_begun, may_end = threading.Event(), threading.Event()

    def run() -> None:
        with override:
            has_begun.set()
            may_end.wait(60)

    thread = threading.Thread(target=run)
    with override:
        thread.start()
        assert has_begun.wait(60)
    try:
        assert runs_ours()
    finally:
        may_end.set()
        thread.join()
    assert not runs_ours()


def test_called_without_a_block_it_holds_to_the_end_of_the_process(run_python: RunPython) -> None:
    script = """
import gc, torch, torch_elu
x = torch.linspace(-8, 2, 30_000)
torch_elu.override_aten()
gc.collect()
assert torch.equal(torch.nn.functional.elu(x), torch_elu.elu(x))
"""
    assert run_python("-W", "error", "-c", script).stderr == ""


def test_it_holds_on_every_thread() -> None:
    results = []
    with torch_elu.override_aten():
        thread = threading.Thread(target=lambda: results.append(runs_ours()))
        thread.start()
        thread.join()
    assert results == [True]


@pytest.mark.parametrize("always", [False, True], ids=["as usual", "torch.set_warn_always"])
def test_nothing_is_warned_of(always: bool, run_python: RunPython) -> None:
    script = f"""
import torch, torch_elu
torch.set_warn_always({always})
with torch_elu.override_aten():
    with torch_elu.override_aten():
        torch.nn.functional.elu(torch.ones(3))
torch_elu.override_aten().remove()
assert torch.is_warn_always_enabled() == {always}
"""
    assert run_python("-W", "error", "-c", script).stderr == ""


ANOTHER_LIBRARY = """
import warnings
torch.set_warn_always(True)  # importing torch has used up the one warning of a process
def register():
    global library
    library = torch.library.Library("aten", "IMPL")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        library.impl("elu", lambda *args: args[0] * 7, "CPU", allow_override=True)
    assert ["Overriding a previously" in str(w.message) for w in caught] == [True]
x = torch.linspace(-8, 2, 30_000)
def is_theirs():
    return torch.equal(torch.nn.functional.elu(x), x * 7)
"""


@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_a_kernel_of_another_library_holds_inside_and_outside(
    first: str, run_python: RunPython
) -> None:
    script = f"""
import torch, torch_elu
{ANOTHER_LIBRARY}
if {first == "theirs"}:
    register()
with torch_elu.override_aten():
    if {first == "ours"}:
        register()
    assert is_theirs()
assert is_theirs()
with torch_elu.override_aten():
    del library
    assert torch.equal(torch.nn.functional.elu(x), torch_elu.elu(x))
assert not is_theirs()
assert not torch.equal(torch.nn.functional.elu(x), torch_elu.elu(x))
"""
    assert run_python("-c", script).stderr == ""


def test_importing_and_overriding_leave_the_dispatcher_and_the_profiler_as_they_are(
    run_python: RunPython,
) -> None:
    script = """
import torch
def state():
    operators = ["elu", "elu_", "elu.out", "elu_backward", "elu_backward.grad_input"]
    return [
        dump("aten::" + operator)
        for operator in operators
        for dump in (torch._C._dispatch_dump, torch._C._dispatch_dump_table)
    ]
def names():
    x = torch.ones(3, requires_grad=True)
    with torch.profiler.profile() as profile:
        torch.nn.functional.elu(x).sum().backward()
    return [event.name for event in profile.events()]
before, names_before = state(), names()
import torch_elu
assert state() == before
assert names() == names_before
with torch_elu.override_aten():
    assert state() == before
    assert names() == names_before
assert state() == before
"""
    run_python("-W", "error", "-c", script)  # the profiler writes to stderr itself


def test_the_dispatchers_table_stays_the_same_while_threads_run_elu() -> None:
    def table() -> list[str]:
        return [
            torch._C._dispatch_dump(f"aten::{name}")
            + torch._C._dispatch_dump_table(f"aten::{name}")
            for name in ("elu", "elu_", "elu.out", "elu_backward", "elu_backward.grad_input")
        ]

    x = inputs()
    pytorchs, expected = F.elu(x), torch_elu.elu(x)
    done = threading.Event()
    wrong = []

    def run() -> None:
        while not done.is_set():
            y = F.elu(x)
            if not (torch.equal(y, pytorchs) or torch.equal(y, expected)):
                wrong.append(y)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    before = table()
    for _ in range(5):
        with torch_elu.override_aten():
            assert table() == before
            assert runs_ours()
        assert table() == before
        assert not runs_ours()
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong


# Autograd, transforms, compilers


def test_derivatives_of_first_and_second_order_and_forward_mode_are_right() -> None:
    x = (torch.randn(8, dtype=torch.float64) * 2).requires_grad_()
    with torch_elu.override_aten():
        for function in (lambda x: F.elu(x, 0.3), F.selu, lambda x: F.celu(x, 0.5)):
            assert torch.autograd.gradcheck(function, x, check_forward_ad=True)
            assert torch.autograd.gradgradcheck(function, x)


@pytest.mark.filterwarnings("error::UserWarning")  # vmap warns where it has to loop
def test_vmap_and_forward_mode_run_our_kernels() -> None:
    x = inputs().view(30, 1000)
    value, slope = ours.elu(x), ours.elu_backward(torch.ones_like(x), 1, 1, 1, False, x)
    with torch_elu.override_aten():
        assert_same_bits(torch.vmap(F.elu)(x), value)
        assert_same_bits(torch.vmap(F.elu, in_dims=1, out_dims=1)(x), value)
        primal, tangent = torch.func.jvp(F.elu, (x,), (torch.ones_like(x),))
        assert_same_bits(primal, value)
        assert_same_bits(tangent, slope)
        assert_same_bits(torch.func.grad(lambda x: F.elu(x).sum())(x), slope)
        per_row = torch.vmap(torch.func.grad(lambda row: F.elu(row).sum()))(x)
        assert_same_bits(per_row, slope)
        with forward_ad.dual_level():
            dual = F.elu(forward_ad.make_dual(x, torch.ones_like(x)))
            assert_same_bits(forward_ad.unpack_dual(dual).tangent, slope)


def test_inference_mode_runs_our_kernels() -> None:
    with torch_elu.override_aten(), torch.inference_mode():
        x = inputs()
        assert_same_bits(F.elu(x), ours.elu(x))


class TwoLayers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.elu = nn.ELU(0.3)

    def forward(self, x: Tensor) -> Tensor:
        return F.selu(self.elu(x))


@pytest.mark.parametrize("how", ["script", "trace", "freeze", "optimize_for_inference"])
@pytest.mark.parametrize("warm", [False, True], ids=["fresh", "specialised before"])
def test_models_saved_as_torchscript_run_our_kernels_at_every_run(how: str, warm: bool) -> None:
    x = inputs()
    model: torch.jit.ScriptModule
    if how == "trace":
        model = torch.jit.trace(TwoLayers().eval(), x)
    else:
        model = torch.jit.script(TwoLayers().eval())
    if how == "freeze":
        model = torch.jit.freeze(model)
    elif how == "optimize_for_inference":
        model = torch.jit.optimize_for_inference(model)
    file = io.BytesIO()
    torch.jit.save(model, file)
    file.seek(0)
    loaded = torch.jit.load(file)
    before = [loaded(x) for _ in range(4 if warm else 0)]

    expected = ours.elu(ours.elu(x, 0.3), *SELU)
    with torch_elu.override_aten():
        for _ in range(4):  # the executor profiles, then specialises
            assert_same_bits(loaded(x), expected)
    assert not torch.equal(loaded(x), expected)
    assert all(torch.equal(y, before[0]) for y in before)


def test_a_scripted_model_differentiates_with_our_kernels() -> None:
    scripted = torch.jit.script(nn.ELU(0.3))
    x = inputs().requires_grad_()
    slope = ours.elu_backward(torch.ones_like(x), 0.3, 1, 1, False, x).detach()
    with torch_elu.override_aten():
        for _ in range(4):
            assert_same_bits(torch.autograd.grad(scripted(x).sum(), x)[0], slope)


def test_compiled_code_that_calls_aten_runs_ours_and_inductors_keeps_its_own() -> None:
    x = inputs()
    torch.compiler.reset()
    calls_aten = torch.compile(F.elu, backend="aot_eager")
    generated = torch.compile(F.elu, backend="inductor")
    outside = generated(x)
    with torch_elu.override_aten():
        assert_same_bits(calls_aten(x), ours.elu(x))
        assert_same_bits(generated(x), outside)
    assert not torch.equal(outside, ours.elu(x))
    torch.compiler.reset()


def test_float64_runs_ours_with_an_alpha_beyond_float32() -> None:
    x = inputs(torch.float64)
    with torch_elu.override_aten():
        assert_same_bits(F.elu(x, 1e300), ours.elu(x, 1e300))


def test_a_backward_of_a_negative_alpha_runs_ours() -> None:
    x, grad_output = inputs(), torch.randn(30_000)
    arguments = grad_output, -0.7, 1, 1, False, x
    with torch_elu.override_aten():
        result = torch.ops.aten.elu_backward(*arguments)
    assert_same_bits(result, ours.elu_backward(*arguments))


@pytest.mark.parametrize(
    "end", [lambda o: o.remove(), lambda o: o.__enter__().__exit__(None, None, None)]
)
def test_an_override_that_has_ended_is_freed(end: Callable[[object], None]) -> None:
    override = torch_elu.override_aten()
    reference = weakref.ref(override)
    end(override)
    del override
    assert reference() is None
