"""Compiles and recompiles, one kind after the other; its trace logs are in this folder.

``python program.py [PART…]`` runs these parts, or all of them. It works with torch 2.6 and newer.
"""

import enum
import os
import sys

import torch
from torch import nn

ONES = torch.ones(4)
FACTOR = 1
TABLE: dict = {}


def compiled(function=None, **options):
    """A compiled function; sizes and numbers stay as they are but where an option says so."""
    if function is None:
        return lambda made: compiled(made, **options)
    options.setdefault("dynamic", False)
    return torch.compile(function, backend="aot_eager", **options)


@compiled
def int_argument(x, k):
    return x * k


@compiled(dynamic=None)
def symbolic_float(x, alpha):
    return x + alpha


@compiled
def float_argument(x, alpha):
    return x * alpha


@compiled(dynamic=None)
def size(x):
    return x * 2


@compiled
def static_size(x):
    return x * 2


@compiled
def dtype(x):
    return x + 1


@compiled
def needs_grad(x):
    return x * 3


@compiled
def list_length(x, extra):
    for e in extra:
        x = x + e
    return x * 2


@compiled
def dict_keys(d):
    return sum(d.values())


@compiled
def global_number(x):
    return x * FACTOR


@compiled
def global_table(x):
    if x.shape[0] not in TABLE:
        TABLE[x.shape[0]] = x + 1
    return x * TABLE[x.shape[0]]


@compiled
def other_function(x, work):
    return work(x) + 1


@compiled
def optional(x, mask):
    return x if mask is None else x * mask


@compiled
def text_flag(x, mode):
    return x * 2 if mode == "double" else x * 3


class Mode(enum.Enum):
    FAST = 1
    EXACT = 2


@compiled
def enum_flag(x, mode):
    return x * 2 if mode is Mode.FAST else x * 3


@compiled
def other_type(x, k):
    return x * int(k)


@compiled
def same_tensor(x, y):
    return x + y


@compiled
def grad_mode(x):
    return x * 5


@compiled
def default_dtype(x):
    return x + torch.ones(4)


@compiled
def default_device(x):
    return x + 7


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.drop, self.cached = 0.5, None
        self.lin = nn.Linear(4, 4)

    def forward(self, x):
        if self.cached is None:
            self.cached = x + 1
        x = self.lin(x) + self.cached
        return x * self.drop if self.training else x


def captured():
    count = 0

    @compiled
    def inside(x):
        return x * count

    for count in range(2):  # noqa: B007
        inside(ONES)


@compiled(dynamic=True)
def zero_or_one(x):
    return x * x.shape[0]


@compiled
def stride(x):
    return x.sin()


@compiled
def limited(x, k):
    return x + k


@compiled
def breaks(x):
    x = x * 2
    print("", end="")
    return x + 1


def empty(x):
    return x


@compiled(fullgraph=True)
def fails(x):
    print("", end="")
    return x + 1


@compiled
def refused(x, k):
    return x - k


@compiled
def loss(x):
    return (x * x).sum()


@compiled
def in_child(x, k):
    return x * k + 1


def numbers():
    for k in (2, 3):
        int_argument(ONES, k)
    for alpha in (0.5, 0.7, 0.9):
        float_argument(ONES, alpha)
        symbolic_float(ONES, alpha)


def tensors():
    for n in (3, 4, 5):
        size(torch.ones(n, 2))
        static_size(torch.ones(n, 2))
    for kind in (torch.float32, torch.float64):
        dtype(torch.ones(2, dtype=kind))
    for needs in (False, True):
        needs_grad(torch.ones(2, requires_grad=needs))
    stride(torch.ones(3, 2))
    stride(torch.ones(2, 3).t())
    for n in (2, 1):
        zero_or_one(torch.ones(n, 4))
    optional(ONES, None)
    optional(ONES, torch.zeros(4))
    same_tensor(ONES, torch.zeros(4))
    same_tensor(ONES, ONES)
    loss(torch.ones(3, requires_grad=True)).backward()


def containers():
    for extra in ([], [ONES + 1], [ONES + 2, ONES + 3]):
        list_length(ONES, extra)
    dict_keys({"a": ONES, "b": ONES + 1})
    dict_keys({"a": ONES, "b": ONES + 1, "c": ONES + 2})
    dict_keys({"a": ONES, "z": ONES + 1})
    for _ in range(2):
        global_table(ONES)


def objects():
    global FACTOR
    global_number(ONES)
    FACTOR = 2
    global_number(ONES)
    for work in (torch.sin, lambda x: x + 1, lambda x: x + 2):
        other_function(ONES, work)
    for mode in ("double", "triple"):
        text_flag(ONES, mode)
    for member in Mode:
        enum_flag(ONES, member)
    for k in (2, "3"):
        other_type(ONES, k)
    captured()


def modules():
    torch.manual_seed(0)
    layer = Layer()
    step = torch.compile(layer, backend="aot_eager", dynamic=False)
    with torch.no_grad():
        step(ONES)
        step(ONES)
        layer.drop = 0.25
        step(ONES)
        layer.eval()
        step(ONES)
    wrapped = [torch.compile(part, backend="aot_eager") for part in (nn.GELU(), nn.Tanh())]
    for part in wrapped:
        part(ONES)


def settings():
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            grad_mode(ONES)
    default_dtype(ONES)
    torch.set_default_dtype(torch.float64)
    default_dtype(ONES)
    torch.set_default_dtype(torch.float32)
    default_device(ONES)
    torch.set_default_device("meta")
    default_device(ONES)
    torch.set_default_device(None)


def troubles():
    config = torch._dynamo.config
    with config.patch(recompile_limit=2):
        for k in range(4):
            limited(ONES, k)
    breaks(ONES)
    skipped = compiled(empty)
    for _ in range(2):
        skipped(ONES)
        try:
            fails(ONES)
        except Exception as error:
            print(type(error).__name__)
    refused(ONES, 1)
    with config.patch(error_on_recompile=True):
        try:
            refused(ONES, 2)
        except Exception as error:
            print(type(error).__name__)


def forked():
    in_child(ONES, 1)
    child = os.fork()
    if not child:
        in_child(ONES, 2)
        os._exit(0)
    os.waitpid(child, 0)
    in_child(ONES, 3)


def after_reset():
    torch._dynamo.reset()
    for k in (2, 5):
        int_argument(ONES, k)


PARTS = (
    *(numbers, tensors, containers, objects, modules, settings, troubles),
    *(forked, after_reset),
)

if __name__ == "__main__":
    for part in PARTS:
        if not sys.argv[1:] or part.__name__ in sys.argv[1:]:
            part()
