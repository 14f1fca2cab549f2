"""Every line that writes a cached attribute is found, with what leads to it."""

from __future__ import annotations

import textwrap

import pytest

from esper_audit.source.cached import cached
from esper_audit.source.classes import classes_of
from esper_audit.source.invalidation import (
    EntryKind,
    OnPath,
    beside,
    invalidations,
    project_around,
)
from esper_audit.source.project import Project

MASK = """
from torch import nn

class Attention(nn.Module):
    def __init__(self, window):
        super().__init__()
        self.window = window
        self._mask = None

    @property
    def size(self):
        return self.window

    @size.setter
    def size(self, window):
        self.window = window
        self._mask = None

    def forward(self, x):
        if self._mask is None:
            self._mask = make(self.window, x.device)
        return x + self._mask

    def _apply(self, fn, recurse=True):
        super()._apply(fn, recurse)
        self._drop()
        return self

    def _drop(self):
        self._mask = None

    def _load_from_state_dict(self, *args):
        self.window += 1

    def _unused(self):
        del self._mask


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = Attention(4)

    def forward(self, x):
        return self.attention(x)

    def widen(self, window):
        self.attention.size = window
"""


def project(**texts):
    files = {f"{name}.py": textwrap.dedent(text) for name, text in texts.items()}
    return Project("/p", [], files)


def state(found, name, attribute):
    (made,) = classes_of(found).named(name)
    return cached(found, made, attribute)


def by_function(lines):
    return {(line.location.function.rpartition(".")[2], line.attribute): line for line in lines}


@pytest.fixture(scope="module")
def mask():
    found = project(model=MASK)
    return found, state(found, "Attention", "_mask")


@pytest.fixture(scope="module")
def lines(mask):
    return by_function(invalidations(*mask))


def kinds(line):
    return {entry.kind: entry.function for entry in line.entries}


def test_a_cache_names_what_it_is_made_from_and_where(mask):
    _, made = mask
    assert made.sources == ("window",)
    assert made.function.qualname == "Attention.forward"


def test_every_line_that_writes_is_found(lines):
    assert set(lines) == {
        ("__init__", "window"),
        ("__init__", "_mask"),
        ("size", "window"),
        ("size", "_mask"),
        ("forward", "_mask"),
        ("_drop", "_mask"),
        ("_load_from_state_dict", "window"),
        ("_unused", "_mask"),
    }


@pytest.mark.parametrize(
    ("function", "attribute", "kind", "by"),
    [
        ("__init__", "_mask", EntryKind.CONSTRUCTION, "Attention.__init__"),
        ("_drop", "_mask", EntryKind.MOVE, "Attention._apply"),
        ("_load_from_state_dict", "window", EntryKind.LOAD, "Attention._load_from_state_dict"),
        ("size", "_mask", EntryKind.SETTER, "Attention.size"),
        ("size", "_mask", EntryKind.CALL, "Model.widen"),
        ("forward", "_mask", EntryKind.FORWARD, "Attention.forward"),
        ("_unused", "_mask", EntryKind.UNCALLED, "Attention._unused"),
    ],
)
def test_a_line_says_by_what_it_is_reached(lines, function, attribute, kind, by):
    assert kinds(lines[function, attribute])[kind] == by


def test_only_what_forward_reaches_is_on_its_path(lines):
    on_path = {key for key, line in lines.items() if line.on_path is OnPath.YES}
    assert on_path == {("forward", "_mask")}
    assert all(line.on_path is not OnPath.UNKNOWN for line in lines.values())


def test_the_way_from_forward_is_told():
    text = """
    from torch import nn

    class Cache(nn.Module):
        def drop(self):
            self._kept = None

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.cache = Cache()

        def forward(self, x):
            self.cache.drop()
            return x
    """
    found = project(net=text)
    (line,) = invalidations(found, state(found, "Cache", "_kept"))
    assert line.on_path is OnPath.YES
    assert [(call.function, call.line) for call in line.way] == [("Net.forward", 14)]


def test_a_call_on_an_unknown_object_leaves_it_unknown():
    text = """
    from torch import nn

    class Cache(nn.Module):
        def drop(self):
            self._kept = None

    class Net(nn.Module):
        def __init__(self, cache):
            super().__init__()
            self.cache = cache

        def forward(self, x):
            self.cache.drop()
            return x
    """
    found = project(net=text)
    (line,) = invalidations(found, state(found, "Cache", "_kept"))
    assert line.on_path is OnPath.UNKNOWN
    assert line.doubt.line == 14


def test_a_property_that_forward_assigns_is_on_its_path():
    text = """
    from torch import nn

    class Scale(nn.Module):
        @property
        def factor(self):
            return self._factor

        @factor.setter
        def factor(self, value):
            self._factor = value

        def forward(self, x):
            self.factor = 2.0
            return x * self._factor
    """
    found = project(scale=text)
    (line,) = invalidations(found, state(found, "Scale", "_factor"))
    assert line.on_path is OnPath.YES
    assert kinds(line)[EntryKind.FORWARD] == "Scale.forward"


def test_a_method_that_is_overridden_never_runs():
    text = """
    class Base:
        def write(self, value):
            self.value = value

        def also(self, value):
            self.value = value

    class Own(Base):
        def write(self, value):
            self.value = value + 1

        def also(self, value):
            super().also(value)
    """
    found = project(own=text)
    told = [line.location.function for line in invalidations(found, state(found, "Own", "value"))]
    assert told == ["Base.also", "Own.write"]


def test_an_object_of_another_class_is_not_meant_and_one_of_none_is_doubtful():
    text = """
    class Own:
        def __init__(self):
            self.value = 0.0

    class Other:
        def __init__(self):
            self.value = 1.0

    def known(other: Other):
        other.value = 2.0

    def meant(own: Own):
        own.value = 3.0

    def unknown(thing):
        thing.value = 4.0
    """
    found = project(own=text)
    lines = by_function(invalidations(found, state(found, "Own", "value")))
    assert {name: line.certain for (name, _), line in lines.items()} == {
        "__init__": True,
        "meant": True,
        "unknown": False,
    }


def test_other_ways_than_the_named_ones_are_told(mask):
    found, made = mask
    assert beside(found, made, ["_apply", "size"]) == ()
    (line,) = beside(found, made, ["_apply"])
    assert [entry.function for entry in line.entries] == ["Model.widen"]


def test_the_project_around_a_file_is_what_imports_it_and_what_it_imports(tmp_path):
    texts = {
        "net/cache.py": "from net import base\n",
        "net/base.py": "from helpers import thing\n",
        "helpers.py": "import json\n",
        "host.py": "from net.cache import (\n    Cache,\n)\n",
        "main.py": "import host\n",
        "other.py": "import json\n",
        "tests/test_net.py": "import net\n",
        "checks.py": "import net\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    file, scenario = str(tmp_path / "net/cache.py"), str(tmp_path / "checks.py")
    found = project_around(str(tmp_path), file, [scenario]).files
    names = {path.removeprefix(f"{tmp_path}/") for path in found}
    assert names == {"net/cache.py", "net/base.py", "helpers.py", "host.py", "main.py"}
