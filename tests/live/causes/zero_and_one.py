"""Dynamic=True, batch of 2 then 1 then 3; and marked unbacked for the second function.

Truth: a: 2 recompiles, for sizes 1 and 0, which are always special; there are no further ones
to come, so no forecast. b: none.
"""

import torch


def head(x):
    return torch.nn.functional.layer_norm(x, (4,)) * x.shape[0]


a = torch.compile(head, backend="aot_eager", dynamic=True)
for n in (2, 1, 3, 1, 0):
    a(torch.ones(n, 4))


def head2(x):
    return x.sum(-1) * 2


b = torch.compile(head2, backend="aot_eager")
for n in (2, 1, 3, 0):
    x = torch.ones(n, 4)
    torch._dynamo.decorators.mark_unbacked(x, 0)
    b(x)
print("ok")
