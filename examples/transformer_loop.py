"""A training loop of ``torch.nn.Transformer`` that evaluates in between, with a smaller last batch.

    esper-audit exec examples/transformer_loop.py

Training, evaluation and the last batch each get a compiled variant; after the first epoch,
nothing should recompile.
"""

import torch
from torch import nn

import esper_audit

EPOCHS = 3
BATCHES = (4, 4, 3)


def main() -> None:
    torch.manual_seed(0)
    model = nn.Transformer(
        d_model=16,
        nhead=2,
        num_encoder_layers=1,
        num_decoder_layers=1,
        dim_feedforward=32,
        batch_first=True,
    )
    compiled = torch.compile(model, backend="aot_eager")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for epoch in range(EPOCHS):
        if epoch == 1:
            esper_audit.steady_state()
        model.train()
        for number, size in enumerate(BATCHES):
            esper_audit.step(f"epoch {epoch}, batch {number}")
            source, target = torch.randn(size, 6, 16), torch.randn(size, 5, 16)
            optimizer.zero_grad()
            (compiled(source, target) - target).square().mean().backward()
            optimizer.step()
        model.eval()
        esper_audit.step(f"epoch {epoch}, evaluation")
        with torch.no_grad():
            compiled(torch.randn(4, 6, 16), torch.randn(4, 5, 16))


if __name__ == "__main__":
    main()
