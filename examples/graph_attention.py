"""A graph attention network (Velickovic et al., arXiv:1710.10903) on a graph of Cora's size."""

from __future__ import annotations

import argparse
import sys
from typing import NamedTuple

try:
    import torch
    import torch_elu
    from torch import Tensor, nn
    from tqdm import tqdm
except ModuleNotFoundError as error:
    sys.exit(f"{error.name} is missing from {sys.executable}: run `make build`")

# Of Cora: papers, words that they may have, subjects, citations, papers whose subject is told.
NODES, WORDS, CLASSES, CITATIONS, LABELLED = 2708, 1433, 7, 5429, 20
HEADS, HIDDEN = 8, 8  # the ELU sees (2708, 64)


class Graph(NamedTuple):
    """Words of each node, its subject, and the two ends of each edge."""

    words: Tensor
    labels: Tensor
    source: Tensor
    target: Tensor


def generate(nodes: int) -> Graph:
    """Four of five citations stay within a subject; a subject's papers share some of its words."""
    labels = torch.randint(CLASSES, (nodes,))
    is_of_subject = torch.rand(CLASSES, WORDS) < 0.1
    probability = torch.where(is_of_subject[labels], 0.02, 0.01)
    words = (torch.rand(nodes, WORDS) < probability).float()
    count = nodes * CITATIONS // NODES
    cites = torch.randint(nodes, (count,))
    by_subject = [(labels == subject).nonzero().flatten() for subject in range(CLASSES)]
    alike = [by_subject[subject] for subject in labels[cites].tolist()]
    chosen = torch.stack([papers[torch.randint(len(papers), ())] for papers in alike])
    cited = torch.where(torch.rand(count) < 0.8, chosen, torch.randint(nodes, (count,)))
    itself = torch.arange(nodes)
    source = torch.cat([cites, cited, itself])
    target = torch.cat([cited, cites, itself])
    return Graph(words / words.sum(1, keepdim=True).clamp(min=1), labels, source, target)


class Attention(nn.Module):
    """Each node takes the mean of its neighbours, weighted by what it thinks of them."""

    def __init__(self, inputs: int, outputs: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(inputs, heads * outputs, bias=False)
        self.of_source = nn.Parameter(torch.randn(heads, outputs) * 0.3)
        self.of_target = nn.Parameter(torch.randn(heads, outputs) * 0.3)

    def forward(self, x: Tensor, graph: Graph) -> Tensor:
        """Of shape (nodes, heads, outputs)."""
        h = self.project(x).view(len(x), self.heads, -1)
        source, target = graph.source, graph.target
        score = (h * self.of_source).sum(2)[source] + (h * self.of_target).sum(2)[target]
        score = nn.functional.leaky_relu(score, 0.2)
        weight = torch.exp(score - score.max())
        total = torch.zeros(len(x), self.heads).index_add(0, target, weight)
        weighted = (weight / total[target]).unsqueeze(2) * h[source]
        return torch.zeros_like(h).index_add(0, target, weighted)


class Network(nn.Module):
    """Two layers of attention with an ELU between them."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.6)
        self.first = Attention(WORDS, HIDDEN, HEADS)
        self.activation = torch_elu.ELU()
        self.second = Attention(HEADS * HIDDEN, CLASSES, 1)

    def forward(self, graph: Graph) -> Tensor:
        """The logits of each node's subject."""
        hidden = self.activation(self.first(self.dropout(graph.words), graph).flatten(1))
        logits: Tensor = self.second(self.dropout(hidden), graph).squeeze(1)
        return logits


def main() -> None:
    """Trains on few labels, and asks for the others."""
    parser = argparse.ArgumentParser(prog="python -m examples.graph_attention", description=__doc__)
    parser.add_argument("--epochs", type=int, default=100, help="(%(default)s)")
    parser.add_argument("--quick", action="store_true", help="a fifth of the graph, 20 epochs")
    arguments = parser.parse_args()
    nodes, epochs = (NODES // 5, 20) if arguments.quick else (NODES, arguments.epochs)

    torch.manual_seed(0)
    graph = generate(nodes)
    of_subject = [(graph.labels == subject).nonzero().flatten() for subject in range(CLASSES)]
    told = torch.cat([papers[:LABELLED] for papers in of_subject])
    held_out = torch.ones(nodes, dtype=torch.bool).index_fill(0, told, value=False)
    network = Network()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2, weight_decay=5e-4)
    for _ in (progress := tqdm(range(epochs), unit="epoch")):
        network.train()
        loss = nn.functional.cross_entropy(network(graph)[told], graph.labels[told])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        progress.set_postfix(loss=f"{loss.item():.3f}")
    network.eval()
    with torch.no_grad():
        is_right = (network(graph).argmax(1) == graph.labels)[held_out]
    print(f"accuracy on {len(is_right)} nodes held out: {100 * is_right.float().mean():.1f} %")


if __name__ == "__main__":
    main()
