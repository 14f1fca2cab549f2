"""Programs that look at what torch compiles, prints and logs: each gives what it saw."""

from __future__ import annotations

from contextlib import suppress

import torch
from seen import Backend, X, emitted, printed, program, stack
from torch import nn
from torch._dynamo.testing import CompileCounter


@program
def a_function_that_is_not_compiled_calls_one_that_is():
    counter = CompileCounter()

    def inner(x):
        return x.sin() * 2

    @torch.compiler.disable(recursive=False)
    def outer(x):
        return inner(x) + 1

    @torch.compile(backend=counter)
    def top(x):
        return outer(x * 3)

    for _ in range(2):
        top(X)
    return counter.frame_count, counter.op_count


@program
def disabled_functions_of_both_kinds_are_nested():
    counter, backend = CompileCounter(), Backend()

    def leaf(x):
        return x.cos() + 1

    @torch.compiler.disable(recursive=False)
    def shallow(x):
        return deep(x) + torch.compile(leaf, backend=counter)(x)

    @torch.compiler.disable
    def deep(x):
        return leaf(x) * 2

    torch.compile(lambda x: shallow(x + 1) * 3, backend=backend)(X)
    torch.compile(shallow, backend=backend)(X)
    return counter.frame_count, counter.op_count, backend.seen


@program
def a_disabled_method_calls_a_submodule_that_is_compiled_in_place():
    counter = CompileCounter()

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(2, 2)
            self.inner.compile(backend=counter)

        @torch.compiler.disable(recursive=False)
        def middle(self, x):
            return self.inner(x).relu()

        def forward(self, x):
            return self.middle(x * 2) + 1

    module = torch.compile(Outer(), backend=counter)
    module(X)
    module(X)
    return counter.frame_count, counter.op_count


@program
def graphs_break_and_go_on():
    backend = Backend()

    def broken(x, k):
        y = x * k
        torch._dynamo.graph_break()
        z = y.sin()
        seen.append(stack())
        return z + k

    seen: list[object] = []
    compiled = torch.compile(broken, backend=backend)
    for k in (2, 3, 4, 2):
        compiled(X, k)
    return backend.seen, seen


@program
def a_fullgraph_failure_is_printed():
    def broken(x):
        print("", end="")
        return x + 1

    def call():
        return torch.compile(broken, backend="eager", fullgraph=True)(X)

    with torch._dynamo.config.patch(verbose=True):
        verbose = printed(call)
    return verbose, printed(call), printed(call)


@program
def an_error_in_a_backend_is_printed():
    def backend(graph, inputs):
        raise ZeroDivisionError("backend is out")

    with torch._dynamo.config.patch(verbose=True):
        return printed(lambda: torch.compile(lambda x: x + 1, backend=backend)(X))


@program
def a_graph_that_fails_as_it_runs_is_printed():
    def fails(*args):
        raise ZeroDivisionError("graph is out")

    compiled = torch.compile(lambda x: x + 1, backend=Backend(lambda _graph: fails))
    return printed(lambda: compiled(X)), printed(lambda: compiled(X))


@program
def an_error_under_error_on_recompile_is_printed():
    compiled = torch.compile(lambda x, k: x * k, backend="eager", dynamic=False)
    compiled(X, 1)
    with torch._dynamo.config.patch(error_on_recompile=True, verbose=True):
        return printed(lambda: compiled(X, 2))


@program
def a_stance_that_refuses_is_printed():
    compiled = torch.compile(lambda x, k: x * k, backend="eager", dynamic=False)
    compiled(X, 1)
    with torch.compiler.set_stance("fail_on_recompile"):
        refused = printed(lambda: compiled(X, 2))
        first = printed(lambda: torch.compile(lambda x: x - 1, backend="eager")(X))
    return refused, first, printed(lambda: compiled(X, 2))


@program
def a_stance_that_is_set_in_a_compiled_region_is_printed():
    def sets(x):
        torch.compiler.set_stance("force_eager")
        return x + 1

    def sets_inside(x):
        torch._dynamo.graph_break()
        with suppress(ValueError):
            from torch._dynamo.decorators import _set_stance  # type: ignore[attr-defined]
            from torch._dynamo.eval_frame import DynamoStance

            _set_stance(DynamoStance())
        return x + 1

    return [
        printed(lambda function=function: torch.compile(function, backend="eager")(X))  # type: ignore[misc]
        for function in (sets, sets_inside)
    ]


@program
def a_limit_is_hit_and_logged():
    compiled = torch.compile(lambda x, k: x * k, backend="eager", dynamic=False)
    with torch._dynamo.config.patch(recompile_limit=2), emitted("torch._dynamo") as handler:
        for k in range(4):
            compiled(X, k)
    return handler.seen


@program
def torchs_logs_and_their_stacks():
    compiled = torch.compile(lambda x, k: (x * k).sum(), backend="aot_eager")
    loggers = ("torch._dynamo", "torch.fx", "torch._functorch", "torch._utils_internal")
    with emitted(*loggers) as handler:
        for size in (2, 3, 4):
            compiled(torch.ones(size), 2.0)
    return handler.seen


@program
def torchs_structured_trace():
    compiled = torch.compile(lambda x, k: x * k + 1, backend="eager")
    with emitted("torch.__trace") as handler:
        for k in (2, 3, 4):
            compiled(X, k)
    return handler.seen
