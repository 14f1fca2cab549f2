"""Training on a data set that the batch size does not divide: the last batch is smaller."""

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(8, 16)
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.hidden(x)))


def train(epochs: int) -> Tensor:
    torch.manual_seed(0)
    model = Classifier()
    compiled = torch.compile(model, backend="aot_eager")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    data = TensorDataset(torch.randn(51, 8), torch.randint(3, (51,)))
    for _ in range(epochs):
        for inputs, labels in DataLoader(data, batch_size=8):
            loss = nn.functional.cross_entropy(compiled(inputs), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return loss.detach()


if __name__ == "__main__":
    print(f"{train(3):.4f}")
