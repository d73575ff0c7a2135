"""A legged robot's policy, an ELU network as in rsl_rl: PPO, TorchScript, a control loop in C++."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

try:
    import torch
    import torch_elu
    from torch import Tensor, nn
    from tqdm import tqdm

    from .digits.deployment import build_apps, failures_end_the_program
except ModuleNotFoundError as error:
    sys.exit(f"{error.name} is missing from {sys.executable}: run `make build`")

# What the robot senses, three hidden layers, its joints: rsl_rl's network for legged robots.
WIDTHS = (48, 512, 256, 128, 12)
JOINTS = WIDTHS[-1]
# rsl_rl's settings of PPO.
EPOCHS, MINIBATCHES, CLIP, GAMMA, LAMBDA = 5, 4, 0.2, 0.99, 0.95


def mlp(widths: tuple[int, ...], activation: Callable[[], nn.Module] = torch_elu.ELU) -> nn.Module:
    """Linear layers with an activation between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers[:-1])


def step(state: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
    """In place of a simulator: actions push the joints, which noise moves; rest is rewarded."""
    joints = state[:, :JOINTS]
    reward = torch.exp(-joints.square().mean(1))
    moved = 0.95 * state + 0.1 * torch.randn_like(state)
    moved[:, :JOINTS] += 0.3 * action.clamp(-1, 1)
    return moved, reward


class ActorCritic(nn.Module):
    """The policy, a normal distribution around what the actor says, and the value of a state."""

    def __init__(self) -> None:
        super().__init__()
        self.actor, self.critic = mlp(WIDTHS), mlp((*WIDTHS[:-1], 1))
        self.log_std = nn.Parameter(torch.zeros(JOINTS))

    def policy(self, state: Tensor) -> torch.distributions.Normal:
        """What may be done in a state."""
        return torch.distributions.Normal(self.actor(state), self.log_std.exp())

    def value(self, state: Tensor) -> Tensor:
        """What is to be expected of a state."""
        value: Tensor = self.critic(state).squeeze(-1)
        return value


@torch.no_grad()
def rollout(model: ActorCritic, state: Tensor, steps: int) -> tuple[list[Tensor], Tensor, float]:
    """Experience of all environments, one after the other: states, actions, their log
    probabilities, advantages and returns; the last state; the mean reward.
    """
    states, actions, log_probs, rewards, values = [], [], [], [], [model.value(state)]
    for _ in range(steps):
        policy = model.policy(state)
        action = policy.sample()
        states.append(state)
        actions.append(action)
        log_probs.append(policy.log_prob(action).sum(-1))
        state, reward = step(state, action)
        rewards.append(reward)
        values.append(model.value(state))
    advantage = torch.zeros_like(rewards[0])
    advantages: list[Tensor] = []
    for t in reversed(range(steps)):
        error = rewards[t] + GAMMA * values[t + 1] - values[t]
        advantage = error + GAMMA * LAMBDA * advantage
        advantages.insert(0, advantage)
    returns = [a + v for a, v in zip(advantages, values, strict=False)]
    experience = [torch.cat(part) for part in (states, actions, log_probs, advantages, returns)]
    return experience, state, torch.stack(rewards).mean().item()


def loss_of(model: ActorCritic, batch: list[Tensor]) -> Tensor:
    """PPO's: the clipped surrogate, the error of the value, the entropy."""
    states, actions, old_log_probs, advantages, returns = batch
    policy = model.policy(states)
    ratio = torch.exp(policy.log_prob(actions).sum(-1) - old_log_probs)
    advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    clipped = ratio.clamp(1 - CLIP, 1 + CLIP)
    surrogate = torch.minimum(ratio * advantages, clipped * advantages).mean()
    error = (model.value(states) - returns).square().mean()
    loss: Tensor = error - surrogate - 0.005 * policy.entropy().sum(-1).mean()
    return loss


def train(envs: int, steps: int, iterations: int) -> tuple[ActorCritic, list[float]]:
    """Some iterations of PPO, and the mean reward in each."""
    torch.manual_seed(0)
    model, state = ActorCritic(), torch.randn(envs, WIDTHS[0])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    rewards = []
    with tqdm(total=iterations * EPOCHS * MINIBATCHES, unit="minibatch") as progress:
        for _ in range(iterations):
            experience, state, reward = rollout(model, state, steps)
            rewards.append(reward)
            progress.set_postfix(reward=f"{reward:.3f}")
            for _ in range(EPOCHS):
                for chosen in torch.randperm(envs * steps).chunk(MINIBATCHES):
                    loss = loss_of(model, [part[chosen] for part in experience])
                    optimizer.zero_grad()
                    loss.backward()
                    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                    optimizer.step()
                    progress.update()
    return model, rewards


def export(actor: nn.Module, directory: Path) -> list[Path]:
    """The actor as TorchScript, and the same one with PyTorch's ELU."""
    theirs = mlp(WIDTHS, nn.ELU)
    theirs.load_state_dict(actor.state_dict())
    paths = [directory / "policy.pt", directory / "policy_aten.pt"]
    for network, path in zip((actor, theirs), paths, strict=True):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`torch.jit")  # PyTorch prefers torch.export by now
            torch.jit.save(torch.jit.script(network.eval()), path)
    return paths


def main() -> None:
    """Trains, exports, and runs the control loop."""
    parser = argparse.ArgumentParser(prog="python -m examples.legged_robot", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("build/legged_robot"))
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="few environments and iterations")
    arguments = parser.parse_args()
    envs, steps, iterations = (64, 24, 8) if arguments.quick else (4096, 24, arguments.iterations)
    arguments.output.mkdir(parents=True, exist_ok=True)

    start = time.perf_counter()
    model, rewards = train(envs, steps, iterations)
    seconds = (time.perf_counter() - start) / iterations
    print(f"{envs} environments x {steps} steps: {seconds:.2f} s per iteration of PPO")
    print(f"mean reward: {rewards[0]:.3f} at first, {rewards[-1]:.3f} at last")

    paths = export(model.actor, arguments.output)
    print(f"wrote {paths[0]} and, with aten::elu, {paths[1]}", flush=True)
    apps = arguments.output / "apps"
    with failures_end_the_program():
        build_apps(apps, "control")
        ticks = "2000" if arguments.quick else "100000"
        subprocess.run([apps / "control", *paths, ticks], check=True)


if __name__ == "__main__":
    main()
