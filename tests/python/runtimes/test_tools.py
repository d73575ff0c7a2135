"""Tools that look activations up by class or function: what they do for torch.nn.ELU they do for
torch_elu.ELU. `make runtimes` installs them.
"""

from __future__ import annotations

import copy
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch_elu
from torch import Tensor, nn

pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error:.*torch_elu.*"),
]


def import_or_skip(name: str) -> Any:
    return pytest.importorskip(
        name, reason=f"{name} does not import: run `make runtimes`", exc_type=ImportError
    )


def make_model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ELU(), nn.Linear(8, 1)).eval()


def inputs() -> Tensor:
    return torch.linspace(-3, 3, 20).view(5, 4)


def captum(model: nn.Module) -> Any:
    attribution = import_or_skip("captum.attr").DeepLift(model.double())
    values, delta = attribution.attribute(inputs().double(), return_convergence_delta=True)
    assert delta.abs().max() < 1e-15
    return values


def shap(model: nn.Module) -> Any:
    return import_or_skip("shap").DeepExplainer(model, inputs()).shap_values(inputs() + 1)


def zennit(model: nn.Module) -> Any:
    attribution = import_or_skip("zennit.attribution")
    composite = import_or_skip("zennit.composites").EpsilonPlus()
    with attribution.Gradient(model, composite) as attribute:
        return attribute(inputs(), torch.ones(5, 1))


def backpack(model: nn.Module) -> Any:
    package = import_or_skip("backpack")
    extended, loss = package.extend(model), package.extend(nn.MSELoss())
    extensions = package.extensions
    with package.backpack(extensions.DiagGGNExact(), extensions.DiagHessian()):
        loss(extended(inputs()), torch.zeros(5, 1)).backward()
    return [(p.diag_ggn_exact, p.diag_h) for p in model.parameters()]


def bound_propagation(model: nn.Module) -> Any:
    """Knows no ELU; a bound that its user writes for nn.ELU serves ours, too."""
    package = import_or_skip("bound_propagation")

    class Bound(package.BoundActivation):
        """The function is convex: it lies between a tangent and the chord."""

        def alpha_beta(self, preactivation: Any) -> None:
            lower, upper = preactivation.lower, preactivation.upper
            self.alpha_upper = (self(upper) - self(lower)) / (upper - lower)
            self.beta_upper = self(lower) - self.alpha_upper * lower
            middle = (lower + upper) / 2
            self.alpha_lower = middle.clamp(max=0).exp()
            self.beta_lower = self(middle) - self.alpha_lower * middle

        def parameterize_alpha_beta(self, *bounds: Tensor) -> tuple[Tensor, ...]:
            return bounds

    with pytest.raises(NotImplementedError, match="not supported"):
        package.BoundModelFactory().build(model)
    factory = package.BoundModelFactory()
    factory.register(nn.ELU, Bound)
    region = package.HyperRectangle.from_eps(inputs(), 0.1)
    bounds = factory.build(model).crown(region).concretize()
    assert (bounds.lower < model(inputs())).all()
    assert (model(inputs()) < bounds.upper).all()
    return bounds.lower, bounds.upper


def calflops(model: nn.Module) -> Any:
    count = import_or_skip("calflops").calculate_flops
    return count(model, (5, 4), print_results=False, print_detailed=False, output_as_string=False)


def deepspeed(model: nn.Module) -> Any:
    profiler = import_or_skip("deepspeed.profiling.flops_profiler.profiler")
    options = {"print_profile": False, "detailed": False, "as_string": False}
    return profiler.get_model_profile(model, (5, 4), **options)


def fvcore(model: nn.Module) -> Any:
    analysis = import_or_skip("fvcore.nn").FlopCountAnalysis(model, inputs())
    return analysis.total(), list(analysis.unsupported_ops().values())


def ptflops(model: nn.Module) -> Any:
    count = import_or_skip("ptflops").get_model_complexity_info
    options = {"as_strings": False, "print_per_layer_stat": False}
    return [count(model, (4,), backend=backend, **options) for backend in ("pytorch", "aten")]


def thop(model: nn.Module) -> Any:
    return import_or_skip("thop").profile(model, (inputs(),), verbose=False)


def torch_pruning_counts(model: nn.Module) -> Any:
    return import_or_skip("torch_pruning").utils.count_ops_and_params(model, inputs())


def shapes(model: nn.Module) -> list[tuple[int, ...]]:
    return [tuple(parameter.shape) for parameter in model.parameters()]


def torch_pruning_prunes(model: nn.Sequential) -> Any:
    package = import_or_skip("torch_pruning")
    pruner = package.pruner.MagnitudePruner(
        model,
        inputs(),
        importance=package.importance.MagnitudeImportance(),
        pruning_ratio=0.5,
        ignored_layers=[model[2]],
    )
    pruner.step()
    assert shapes(model)[0] == (4, 4)
    return shapes(model)


def structured_pruner_of_pytorch(model: nn.Module) -> Any:
    from torch.ao.pruning._experimental.pruner import SaliencyPruner

    pruner = SaliencyPruner({})
    pruner.prepare(model, [{"tensor_fqn": "0.weight", "sparsity_level": 0.5}])
    pruner.enable_mask_update = True
    pruner.step()
    pruned = shapes(pruner.prune())
    assert (4, 4) in pruned
    return pruned


def global_pruning_of_pytorch(model: nn.Sequential) -> Any:
    from torch.nn.utils import prune

    weights = [(model[0], "weight"), (model[2], "weight")]
    prune.global_unstructured(weights, prune.L1Unstructured, amount=0.5)
    return model(inputs())


def eager_quantization(model: nn.Sequential) -> Any:
    from torch.ao import quantization

    stubs = quantization.QuantStub(), quantization.DeQuantStub()
    whole = nn.Sequential(stubs[0], *model, stubs[1]).eval()
    whole.qconfig = quantization.get_default_qconfig("fbgemm")
    prepared = quantization.prepare(whole)
    prepared(inputs())
    quantized = quantization.convert(prepared)
    assert type(quantized[2]) is torch.ao.nn.quantized.ELU
    return quantized(inputs())


def quantization_aware_training(model: nn.Sequential) -> Any:
    from torch.ao import quantization

    stubs = quantization.QuantStub(), quantization.DeQuantStub()
    whole = nn.Sequential(stubs[0], *model, stubs[1]).train()
    whole.qconfig = quantization.get_default_qat_qconfig("fbgemm")
    prepared = quantization.prepare_qat(whole)
    prepared(inputs()).sum().backward()
    return quantization.convert(prepared.eval())(inputs())


def torchinfo(model: nn.Module) -> Any:
    return str(import_or_skip("torchinfo").summary(model, input_data=inputs(), verbose=0))


def torchview(model: nn.Module) -> Any:
    draw = import_or_skip("torchview").draw_graph
    return str(draw(model, input_data=inputs(), expand_nested=True).visual_graph)


def torchviz(model: nn.Module) -> Any:
    """The numbers are addresses; the type of our node is CppFunction, of PyTorch's EluBackward0."""
    drawn = str(import_or_skip("torchviz").make_dot(model(inputs())))
    return re.sub(r"\d{6,}", "", drawn).replace("EluBackward0", "CppFunction")


def torchvision(model: nn.Module) -> Any:
    extraction = import_or_skip("torchvision.models.feature_extraction")
    return extraction.create_feature_extractor(model, ["1"])(inputs())


def onnx2torch(model: nn.Module) -> Any:
    convert = import_or_skip("onnx2torch").convert
    file = io.BytesIO()
    torch.onnx.export(model, (inputs(),), file, dynamo=False)
    file.seek(0)
    loaded = convert(import_or_skip("onnx").load(file))
    assert sum(type(module) is nn.ELU for module in loaded.modules()) == 1
    return loaded(inputs())


def hls4ml(model: nn.Module) -> Any:
    package = import_or_skip("hls4ml")
    config = package.utils.config_from_pytorch_model(model, (4,))
    project = package.converters.convert_from_pytorch_model(
        model, hls_config=config, output_dir="unused"
    )
    return [layer.class_name for layer in project.get_layers()]


TOOLS: list[Callable[[Any], Any]] = [
    captum,
    shap,
    zennit,
    backpack,
    bound_propagation,
    calflops,
    deepspeed,
    fvcore,
    ptflops,
    thop,
    torch_pruning_counts,
    torch_pruning_prunes,
    structured_pruner_of_pytorch,
    global_pruning_of_pytorch,
    eager_quantization,
    quantization_aware_training,
    torchinfo,
    torchview,
    torchviz,
    torchvision,
    onnx2torch,
    hls4ml,
]


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.__name__)
def test_a_tool_does_for_a_converted_model_what_it_does_for_the_model(
    tool: Callable[[Any], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = make_model()
    expected = tool(copy.deepcopy(model))
    actual = tool(torch_elu.convert(copy.deepcopy(model)))
    if isinstance(expected, str | list) and not isinstance(expected[0], tuple):
        assert actual == expected
    else:
        torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.__name__)
def test_no_tool_notices_override_aten(
    tool: Callable[[Any], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    expected = tool(make_model())
    with torch_elu.override_aten():
        actual = tool(make_model())
    if isinstance(expected, str | list) and not isinstance(expected[0], tuple):
        assert actual == expected
    else:
        torch.testing.assert_close(actual, expected)


def test_fx_quantization_warns_that_a_converted_model_is_to_be_reverted_first() -> None:
    from torch.ao.quantization import get_default_qconfig_mapping, quantize_fx

    mapping = get_default_qconfig_mapping("fbgemm")

    def quantized(model: nn.Module) -> nn.Module:
        prepared = quantize_fx.prepare_fx(model, mapping, (inputs(),))
        prepared(inputs())
        return quantize_fx.convert_fx(prepared)

    expected = quantized(make_model())
    converted = torch_elu.convert(make_model())
    with pytest.warns(UserWarning, match=r"torch_elu\.revert\(model\) first"):
        in_floating_point = quantized(copy.deepcopy(converted))
    reverted = quantized(torch_elu.revert(converted))
    quantized_elu = torch.ao.nn.quantized.ELU
    assert type(expected.get_submodule("1")) is quantized_elu
    assert not any(isinstance(module, quantized_elu) for module in in_floating_point.modules())
    assert reverted.code == expected.code
    assert torch.equal(reverted(inputs()), expected(inputs()))


def test_core_ml_refuses_a_converted_model_and_takes_a_reverted_one() -> None:
    core_ml = import_or_skip("coremltools")

    def operators(model: nn.Module) -> list[str]:
        traced = torch.jit.trace(model, inputs())
        shape = [core_ml.TensorType(shape=(5, 4))]
        program = core_ml.convert(traced, inputs=shape, convert_to="milinternal")
        return [operator.op_type for operator in program.functions["main"].operations]

    converted = torch_elu.convert(make_model())
    with pytest.raises(NotImplementedError, match="torch_elu::elu"):
        operators(converted)
    assert operators(torch_elu.revert(converted)) == operators(make_model())


def test_stable_baselines_builds_the_policy_anew_from_its_arguments(tmp_path: Path) -> None:
    """So convert is forgotten with save and load; the class in the arguments is not."""
    package, gymnasium = import_or_skip("stable_baselines3"), import_or_skip("gymnasium")

    class Constant(gymnasium.Env[Any, Any]):
        observation_space = gymnasium.spaces.Box(-1, 1, (3,))
        action_space = gymnasium.spaces.Discrete(2)

        def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
            return self.observation_space.sample(), {}

        def step(self, _: Any) -> Any:
            return self.observation_space.sample(), 0.0, True, False, {}

    def loaded(activation: type[nn.Module], convert: bool) -> set[type[nn.Module]]:
        options = {"activation_fn": activation, "net_arch": [4]}
        learner = package.PPO("MlpPolicy", Constant(), policy_kwargs=options, device="cpu")
        if convert:
            torch_elu.convert(learner.policy)
        learner.save(tmp_path / "policy")
        policy = package.PPO.load(tmp_path / "policy", device="cpu").policy
        return {type(module) for module in policy.modules() if isinstance(module, nn.ELU)}

    assert loaded(nn.ELU, convert=True) == {nn.ELU}
    assert loaded(torch_elu.ELU, convert=False) == {torch_elu.ELU}


def test_convert_names_the_calls_that_it_leaves_in_attentive_fp() -> None:
    geometric = import_or_skip("torch_geometric.nn")
    attentive = geometric.AttentiveFP(4, 8, 8, edge_dim=4, num_layers=2, num_timesteps=2)
    model = nn.Sequential(attentive, nn.ELU(), nn.Linear(8, 1))
    with pytest.warns(UserWarning, match=r"AttentiveFP\.forward"):
        torch_elu.convert(model)
    assert type(model[1]) is torch_elu.ELU
