"""Models of other packages: converted, or run under override_aten as they are.

`make models` installs the packages and runs this file. Where one is missing, its test is skipped.
"""

from __future__ import annotations

import copy
import importlib
import os
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
import torch_elu
from references import assert_same_bits
from torch import Tensor, nn

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


Import = Callable[[str, str], ModuleType]


@pytest.fixture
def import_or_skip(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Import:
    """Imports a module of a package."""
    monkeypatch.syspath_prepend(repository)
    from benchmarks.models import package

    def import_it(module: str, name: str) -> ModuleType:
        try:
            return package(module)
        except ImportError as error:
            pytest.skip(f"{name} is not installed ({error}): run `make models`")
        except RuntimeError as error:
            pytest.skip(f"{name} is installed, but {module} cannot be imported here: {error}")

    return import_it


def count_elus(model: nn.Module) -> int:
    return sum(type(module) is nn.ELU for module in model.modules())


def assert_converts_to_the_same_within_rounding(model: nn.Module, x: Tensor) -> nn.Module:
    """Outputs and gradients; returns the converted model."""
    original, converted = model, copy.deepcopy(model)
    count = count_elus(converted)
    assert count > 0
    torch_elu.convert(converted)
    assert count_elus(converted) == 0
    assert sum(type(module) is torch_elu.ELU for module in converted.modules()) == count

    expected, actual = original(x), converted(x)
    assert not torch.equal(actual, expected)  # other kernels round otherwise
    torch.testing.assert_close(actual, expected)
    for y in (expected, actual):
        y.square().mean().backward()
    for one, other in zip(original.parameters(), converted.parameters(), strict=True):
        if one.grad is not None:
            torch.testing.assert_close(other.grad, one.grad)
    return converted


# Robots


def make_runner(rsl_rl: ModuleType, rng: torch.Generator) -> object:
    """The runner of rsl-rl-lib, with an actor and a critic of ELU, on an environment of noise."""
    tensordict = importlib.import_module("tensordict")

    class Noise(importlib.import_module("rsl_rl.env").VecEnv):
        num_envs, num_actions, max_episode_length = 64, 12, 100
        device, cfg = "cpu", {}

        def __init__(self) -> None:
            self.episode_length_buf = torch.zeros(self.num_envs, dtype=torch.long)

        def get_observations(self) -> object:
            observations = torch.randn(self.num_envs, 48, generator=rng)
            return tensordict.TensorDict({"policy": observations}, batch_size=[self.num_envs])

        def step(self, actions: Tensor) -> tuple[object, Tensor, Tensor, dict[str, object]]:
            rewards = -actions.square().mean(1)
            return self.get_observations(), rewards, torch.zeros(self.num_envs), {}

    network = {
        "class_name": "MLPModel",
        "hidden_dims": [128, 64, 32],
        "activation": "elu",
        "obs_normalization": True,
    }
    distribution = {"class_name": "GaussianDistribution", "init_std": 1.0, "std_type": "scalar"}
    config = {
        "num_steps_per_env": 8,
        "save_interval": 100,
        "obs_groups": {"actor": ["policy"], "critic": ["policy"]},
        "actor": {**network, "distribution_cfg": distribution},
        "critic": dict(network),
        "algorithm": {"class_name": "PPO"},
        "multi_gpu": None,
    }
    return rsl_rl.OnPolicyRunner(Noise(), config)


@pytest.fixture(scope="session")
def consumer(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Callable[..., str]:
    """Runs an app of the outside project in tests/consumer."""
    folder = tmp_path_factory.mktemp("consumer")
    path = sysconfig.get_path("scripts") + os.pathsep + os.environ["PATH"]

    def run(*command: str | Path) -> str:
        return subprocess.run(
            [*map(str, command)],
            cwd=folder,
            env={**os.environ, "PATH": path},
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        ).stdout

    prefix = f"-DCMAKE_PREFIX_PATH={torch_elu.cmake_prefix_path};{torch.utils.cmake_prefix_path}"
    run("cmake", "-S", repository / "tests" / "consumer", "-B", folder, prefix)
    run("cmake", "--build", folder, "--target", "convert_model", "load_model")
    return lambda app, *arguments: run(folder / app, *arguments)


class Expected(nn.Module):
    def __init__(self, input: Tensor, output: Tensor) -> None:
        super().__init__()
        self.register_buffer("input", input)
        self.register_buffer("output", output)


def test_a_policy_that_rsl_rl_exports_runs_in_a_cpp_app_with_our_bits(
    tmp_path: Path, consumer: Callable[..., str], import_or_skip: Import
) -> None:
    runner = make_runner(
        import_or_skip("rsl_rl.runners", "rsl-rl-lib"), torch.Generator().manual_seed(0)
    )
    runner.export_policy_to_jit(str(tmp_path), "policy.pt")
    exported = torch.jit.load(tmp_path / "policy.pt")
    x = torch.randn(500, 48)
    with torch.no_grad():
        pytorchs = exported(x)
        torch_elu.convert(exported)
        output = exported(x)
    assert not torch.equal(output, pytorchs)
    torch.testing.assert_close(output, pytorchs)
    torch.jit.script(Expected(x, output)).save(str(tmp_path / "expected.pt"))

    files = [tmp_path / name for name in ("policy.pt", "expected.pt", "converted.pt")]
    assert "false before, true under the guard, true converted" in consumer("convert_model", *files)
    assert "same output as in Python" in consumer("load_model", files[2], files[1])


def test_an_actor_critic_of_rsl_rl_learns_as_before_when_converted(import_or_skip: Import) -> None:
    runners = import_or_skip("rsl_rl.runners", "rsl-rl-lib")
    actors = []
    for is_converted in (False, True):
        torch.manual_seed(1)
        runner = make_runner(runners, torch.Generator().manual_seed(0))
        if is_converted:
            torch_elu.convert(runner.alg.actor)
            torch_elu.convert(runner.alg.critic)
        runner.learn(2)
        actors.append(runner.alg.actor)
    for one, other in zip(actors[0].parameters(), actors[1].parameters(), strict=True):
        torch.testing.assert_close(other, one)


# Sound, brain waves, graphs


def test_encodec_encodes_and_decodes_the_same_when_converted(import_or_skip: Import) -> None:
    transformers = import_or_skip("transformers", "transformers")
    config = transformers.EncodecConfig(num_filters=8, hidden_size=32, codebook_dim=32)
    model = transformers.EncodecModel(config).eval()
    sound = torch.randn(1, 1, 6000)
    assert_converts_to_the_same_within_rounding(model.encoder, sound)
    assert_converts_to_the_same_within_rounding(model.decoder, torch.randn(1, 32, 20))
    torch_elu.convert(model)
    with torch.no_grad():
        assert model(sound).audio_values.shape == sound.shape


def test_eegnet_classifies_the_same_when_converted(import_or_skip: Import) -> None:
    import_or_skip("torchaudio", "torchaudio")  # which braindecode imports
    models = import_or_skip("braindecode.models", "braindecode")
    model = models.EEGNet(n_chans=22, n_outputs=4, n_times=1000).eval()
    assert_converts_to_the_same_within_rounding(model, torch.randn(8, 22, 1000))


def test_a_graph_attention_network_runs_our_kernels_under_override_aten(
    import_or_skip: Import,
) -> None:
    geometric = import_or_skip("torch_geometric.nn", "torch-geometric")

    class GAT(nn.Module):  # Velickovic et al., arXiv:1710.10903, section 3.3
        def __init__(self) -> None:
            super().__init__()
            self.first = geometric.GATConv(16, 8, heads=8)
            self.second = geometric.GATConv(64, 7)

        def forward(self, x: Tensor, edges: Tensor, elu: Callable[[Tensor], Tensor]) -> Tensor:
            return self.second(elu(self.first(x, edges)), edges)

    model = GAT()
    x, edges = torch.randn(300, 16), torch.randint(300, (2, 2000))
    expected, ours = model(x, edges, F.elu), model(x, edges, torch_elu.elu)
    with torch_elu.override_aten():
        actual = model(x, edges, F.elu)
        grads = torch.autograd.grad(actual.square().mean(), list(model.parameters()))
    assert_same_bits(actual, ours)
    assert not torch.equal(actual, expected)
    torch.testing.assert_close(actual, expected)
    ours_grads = torch.autograd.grad(ours.square().mean(), list(model.parameters()))
    for grad, other in zip(grads, ours_grads, strict=True):
        torch.testing.assert_close(grad, other)
