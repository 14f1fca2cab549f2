"""Programs that look at where their code is called from: each gives what it saw."""

from __future__ import annotations

import warnings

import torch
import torch.distributed as dist
from seen import Backend, X, emitted, plain_text, printed, program, stack
from torch import nn
from torch._dynamo.testing import CompileCounter


@program
def warnings_of_a_backend_name_their_caller():
    def backend(graph, inputs):
        for level in range(1, 40):
            warnings.warn("a level up", stacklevel=level)
        return graph.forward

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.compile(lambda x: x + 1, backend=backend)(X)
    return [(warning.filename, warning.lineno, str(warning.message)) for warning in caught]


@program
def warnings_of_a_graph_name_their_caller():
    def run(x):
        for level in range(1, 20):
            warnings.warn("a level up", stacklevel=level)
        return (x,)

    compiled = torch.compile(lambda x: x + 1, backend=Backend(lambda _graph: run))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        compiled(X)
        compiled(X)
    return [(warning.filename, warning.lineno, str(warning.message)) for warning in caught]


@program
def compile_callbacks_see_their_stack():
    seen: list[object] = []
    handler = torch._dynamo.callback.callback_handler

    def told(*args):
        seen.append(stack())

    handler.register_start_callback(told)
    handler.register_end_callback(told)
    try:
        torch.compile(lambda x: x + 1, backend="eager")(X)
    finally:
        handler.remove_start_callback(told)
        handler.remove_end_callback(told)
    return seen


@program
def a_graph_comes_as_a_module_a_method_or_an_object():
    class Runs:
        def __init__(self, graph):
            self.graph = graph

        def __call__(self, *args):
            seen.append(stack())
            return self.graph(*args)

        def run(self, *args):
            seen.append(stack())
            return self.graph(*args)

    class Module(Runs, nn.Module):
        def __init__(self, graph):
            nn.Module.__init__(self)
            self.graph = graph

        def forward(self, *args):
            seen.append(stack())
            return self.graph(*args)

        __call__ = nn.Module.__call__

    seen: list[object] = []
    wraps = (
        Runs,
        Module,
        lambda graph: Runs(graph).run,
        lambda graph: graph,
        lambda graph: torch._dynamo.disable(Runs(graph).run),
        lambda graph: torch.compile(Runs(graph).run, backend="eager"),
    )
    for wrap in wraps:
        torch._dynamo.reset()
        compiled = torch.compile(lambda x: x.sin() + 1, backend=Backend(wrap))
        seen.append([compiled(X).tolist(), compiled(X).tolist()])
    return seen


@program
def a_backend_compiles_and_calls_compiled_code():
    inner, counter = Backend(), CompileCounter()

    def helper(x):
        return x.cos() * 2

    def backend(graph, inputs):
        torch.compile(helper, backend=inner)(X)

        def run(*args):
            torch.compile(helper, backend=counter)(X)
            return graph.forward(*args)

        return run

    compiled = torch.compile(lambda x, k: x * k, backend=backend)
    for k in (2, 3):
        compiled(X, k)
    return inner.seen, counter.frame_count, counter.op_count


@program
def a_custom_operation_sees_its_stack():
    seen: list[object] = []
    with torch.library._scoped_library("same_program", "FRAGMENT") as library:
        library.define("double(Tensor x) -> Tensor")

        def double(x):
            seen.append(stack())
            return x * 2

        library.impl("double", double, "CPU")
        library.impl("double", lambda x: torch.empty_like(x), "Meta")

        def function(x):
            return torch.ops.same_program.double(x + 1)

        for backend in ("eager", "aot_eager"):
            torch._dynamo.reset()
            compiled = torch.compile(function, backend=backend)
            compiled(X)
            compiled(X)
    return seen


@program
def a_backward_sees_its_stack():
    seen: list[object] = []

    class Double(torch.autograd.Function):
        @staticmethod
        def forward(_ctx, x):
            return x * 2

        @staticmethod
        def backward(_ctx, grad):
            torch._dynamo.graph_break()
            seen.append(stack())
            return grad * 2

    def function(x):
        y = Double.apply(x)
        y.register_hook(lambda _grad: seen.append(len(stack())))
        return y.sum()

    for backend in ("eager", "aot_eager"):
        torch._dynamo.reset()
        x = torch.ones(2, requires_grad=True)
        torch.compile(function, backend=backend)(x).backward()
    return seen


@program
def compiled_code_writes_and_a_forbidden_write_is_printed():
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.n = 0

        def forward(self, x):
            def branch(x):
                self.n = x + 1
                return x.sin()

            self.n = 1
            if torch.compiler.is_compiling() and x.shape[0] == 3:
                return torch.cond(x.sum() > 0, branch, lambda x: x.cos(), (x,))
            return x + self.n

    backend, module = Backend(), Counts()
    compiled = torch.compile(module, backend=backend)
    compiled(X)
    with torch._dynamo.config.patch(verbose=True):
        return backend.seen, module.n, printed(lambda: compiled(torch.ones(3)))


@program
def distributed_data_parallel_is_split_into_buckets():
    backend = Backend()
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)  # type: ignore[attr-defined]
    try:
        module = nn.Sequential(*(nn.Linear(600, 600) for _ in range(3)))
        wrapped = nn.parallel.DistributedDataParallel(module, bucket_cap_mb=1)
        compiled = torch.compile(wrapped, backend=backend)
        compiled(torch.ones(1, 600)).sum().backward()
        compiled(torch.ones(1, 600))
    finally:
        dist.destroy_process_group()
    return backend.seen


@program
def an_error_is_suppressed_and_logged_with_its_traceback():
    def backend(graph, inputs):
        raise ZeroDivisionError("backend is out")

    with (
        torch._dynamo.config.patch(suppress_errors=True),
        emitted("torch._dynamo.convert_frame") as handler,
    ):
        torch.compile(lambda x: x + 1, backend=backend)(X)
    return handler.seen


@program
def guards_are_unsafe_to_skip_and_a_dimension_is_specialized():
    backend = Backend()
    compiled = torch.compile(lambda x: x.sum() * x.shape[0], backend=backend)
    for size in (2, 3, 4):
        x = torch.ones(size)
        torch._dynamo.maybe_mark_dynamic(x, 0)
        compiled(x)
    y = torch.ones(5)
    torch._dynamo.mark_dynamic(y, 0)

    def specialized(y):
        return y * 2 if y.shape[0] == 5 else y

    with torch._dynamo.config.patch(verbose=True):
        return backend.seen, printed(lambda: torch.compile(specialized, backend=backend)(y))


@program
def a_graph_is_specialized_as_it_runs():
    backend = Backend()
    x = torch.ones(4, 2)
    torch._dynamo.mark_dynamic(x, 0, specialize_on=[lambda size: size == 4])
    compiled = torch.compile(lambda x: x.sin() * 2, backend=backend)
    compiled(x)
    compiled(x)
    compiled(torch.ones(5, 2))
    return backend.seen


@program
def a_backward_is_compiled_by_compiled_autograd():
    backend = Backend()
    x = torch.ones(2, requires_grad=True)
    with torch._dynamo.compiled_autograd._enable(torch.compile(backend=backend)):
        for _ in range(2):
            (x.sin() * 2).sum().backward()
    return backend.seen


@program
def a_module_is_exported_and_explained():
    class Module(nn.Module):
        def forward(self, x):
            return (x * 2).relu()

    def broken(x):
        y = x + 1
        torch._dynamo.graph_break()
        return y * 2

    exported = torch.export.export(Module(), (X,), strict=True)
    explained = torch._dynamo.explain(broken)(X)
    breaks = [plain_text(graph_break.user_stack) for graph_break in explained.break_reasons]
    return str(exported.graph), explained.graph_count, breaks


@program
def a_compiled_function_is_kept_in_a_package():
    backend = Backend()

    def function(x, k):
        seen.append(torch.compiler.is_compiling())
        return x * k

    seen: list[object] = []
    with torch._dynamo.config.patch(caching_precompile=True, strict_precompile=False):
        compiled = torch.compile(function, backend="eager")
        results = [compiled(X, k).tolist() for k in (1, 2, 2)]
    return results, seen, backend.seen


@program
def a_generator_and_a_comprehension_call_compiled_code():
    seen: list[object] = []

    def add(x):
        torch._dynamo.graph_break()
        seen.append(stack())
        return x + 1

    compiled = torch.compile(add, backend=Backend())
    list(compiled(x) for x in (X, X))  # noqa: C400
    return seen, [compiled(x).tolist() for x in (X, X)]
