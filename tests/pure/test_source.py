"""Reading of source: projects, classes, attribute sites, what forward reaches. Text in, facts out."""

from textwrap import dedent

import pytest

from esper_audit.source.attributes import SiteKind, sites_of, writers_of
from esper_audit.source.classes import classes_of
from esper_audit.source.project import Project, python_files
from esper_audit.source.reach import reached_from


def project(**texts):
    made = {name.replace("__", "/") + ".py": dedent(text) for name, text in texts.items()}
    return Project("/nowhere", (), made)


def only(found, name):
    (one,) = classes_of(found).named(name)
    return one


# --- files ---


def test_hidden_folders_environments_and_outputs_are_left_out(tmp_path):
    kept = ["a.py", "pkg/b.py"]
    left = [
        ".git/c.py",
        "__pycache__/d.py",
        "my/lib/e.py",
        "build/f.py",
        "x.txt",
        "x.egg-info/g.py",
    ]
    for name in (*kept, *left, "my/pyvenv.cfg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert list(python_files(tmp_path)) == [str(tmp_path / name) for name in kept]


def test_a_syntax_error_is_a_fact_with_its_line():
    found = project(a="x = 1\n", b="x = (\n")
    (unread,) = found.unread
    assert (unread.file, unread.line) == ("/nowhere/b.py", 1)
    assert found.file("b.py").tree.body == []


@pytest.mark.parametrize("data", [b"\xff\xfe", b"x = '\xe9'", b"# coding: nothing\n", b"x = \0"])
def test_a_file_that_is_no_python_text_is_a_fact_too(tmp_path, data):
    (tmp_path / "a.py").write_bytes(data)
    assert len(Project(tmp_path).unread) == 1


@pytest.mark.parametrize("terms", [2_500, 50_000])
def test_a_file_that_is_nested_too_deeply_is_a_fact_too(terms):
    assert len(project(a=f"x = {'+'.join(['1'] * terms)}").unread) == 1


def test_a_coding_line_is_heeded(tmp_path):
    (tmp_path / "a.py").write_bytes("# coding: latin-1\nx = 'é'\n".encode("latin-1"))
    assert "é" in Project(tmp_path).file("a.py").text


def test_files_that_mention_no_word_are_not_given():
    found = project(a="x = 1", b="scale = 2")
    assert [file.path for file in found.all("scale")] == ["/nowhere/b.py"]


def test_libcst_reads_the_same_text():
    assert project(a="x = 1  # one\n").file("a.py").cst.code == "x = 1  # one\n"


# --- classes ---


def test_a_base_is_found_through_imports_and_reexports():
    found = Project(
        "/nowhere",
        (),
        {
            "pkg/__init__.py": "from .base import Base as Root",
            "pkg/base.py": "import torch.nn as nn\nclass Base(nn.Module): ...",
            "use.py": "from pkg import Root\nclass Mine(Root): ...",
            "dotted.py": "import pkg.base\nclass Other(pkg.base.Base): ...",
        },
    )
    classes = classes_of(found)
    assert [made.name for made in classes.line(only(found, "Mine"))] == ["Mine", "Base"]
    assert classes.is_module(only(found, "Mine")) is True
    assert classes.is_module(only(found, "Other")) is True
    assert {made.name for made in classes.subclasses(only(found, "Base"))} == {"Mine", "Other"}


@pytest.mark.parametrize(
    ("bases", "answer"),
    [
        ("nn.Module", True),
        ("torch.nn.Linear", True),
        ("Module", True),
        ("Mixin, nn.Module", True),
        ("object", False),
        ("", False),
        ("ValueError", False),
        ("somewhere.Thing", None),
        ("make()", None),
        ("Mine", None),
    ],
)
def test_a_module_is_known_by_its_bases(bases, answer):
    text = f"import torch\nfrom torch import nn\nfrom torch.nn import Module\nimport somewhere\nclass Mixin: ...\nclass Mine({bases}): ..."
    found = project(a=text)
    assert classes_of(found).is_module(only(found, "Mine")) is answer


def test_a_method_is_found_in_a_base():
    found = project(a="class A:\n def f(self): ...\nclass B(A): ...\n")
    method = classes_of(found).method(only(found, "B"), "f")
    assert method is not None and method.qualname == "A.f"


# --- attributes ---

SITES = {
    "self.a = 1": (SiteKind.WRITE, "self", "1"),
    "x.y.a = 1": (SiteKind.WRITE, "x.y", "1"),
    "self.a: float = 1": (SiteKind.WRITE, "self", "1"),
    "self.a += 1": (SiteKind.AUGMENTED, "self", "1"),
    "self.a.fill_(2)": (SiteKind.IN_PLACE, "self", "2"),
    "self.a[0] = 1": (SiteKind.IN_PLACE, "self", "1"),
    "self.a[0] += 1": (SiteKind.IN_PLACE, "self", "1"),
    "del self.a": (SiteKind.DELETE, "self", None),
    "setattr(self, 'a', 1)": (SiteKind.WRITE, "self", "1"),
    "object.__setattr__(self, 'a', 1)": (SiteKind.WRITE, "self", "1"),
    "self.__setattr__('a', 1)": (SiteKind.WRITE, "self", "1"),
    "delattr(m, 'a')": (SiteKind.DELETE, "m", None),
    "self.register_buffer('a', t)": (SiteKind.WRITE, "self", "t"),
    "self.register_buffer(name='a', tensor=t)": (SiteKind.WRITE, "self", "t"),
    "self.a, b = 1, 2": (SiteKind.WRITE, "self", "1"),
    "self.a, b = f()": (SiteKind.WRITE, "self", None),
    "for self.a in y: pass": (SiteKind.WRITE, "self", None),
    "b = self.a": (SiteKind.READ, "self", None),
    "f().a()": (SiteKind.READ, "", None),
    "self.a.requires_grad_()": (SiteKind.READ, "self", None),
}


@pytest.mark.parametrize("line", SITES)
def test_each_use_of_an_attribute_is_one_site(line):
    import ast

    found = project(m=f"class M:\n    def f(self):\n        {line}\n")
    (site,) = sites_of(found, "a")
    kind, receiver, value = SITES[line]
    assert (site.kind, site.receiver) == (kind, receiver)
    assert (ast.unparse(site.value) if site.value else None) == value
    assert (site.line, site.function.qualname, site.owner.name) == (3, "M.f", "M")


def test_an_annotation_alone_writes_nothing():
    found = project(m="class M:\n    a: float\n    def f(self):\n        self.a: float\n")
    assert list(sites_of(found, "a")) == []


def test_a_value_in_a_class_body_is_declared():
    (site,) = sites_of(project(m="class M:\n    a: float = 1.0\n"), "a")
    assert site.kind is SiteKind.DECLARED and site.in_init


def test_columns_count_characters():
    (site,) = sites_of(project(m="é = 'ü'; é.a = 1"), "a")
    assert site.column == 9


def test_writers_on_self_of_unrelated_classes_are_left_out():
    found = project(
        m="""
        class M:
            def __init__(self): self.a = 1
        class Other:
            def f(self): self.a = 2
        class Below(M):
            def f(self): self.a = 3
        def train(m): m.a = 4
        """
    )
    assert [site.value.value for site in writers_of(found, only(found, "M"), "a")] == [1, 3, 4]


# --- reach ---


def reached(found, name):
    return [fn.qualname for fn in reached_from(found, only(found, name)).functions]


def test_forward_reaches_methods_properties_and_functions():
    found = project(
        m="""
        from torch import nn
        from n import helper
        class Base(nn.Module):
            def forward(self, x): return self.step(x) + self.scale
            @property
            def scale(self): return 1
            def step(self, x): return helper(x)
            def reset(self): ...
        class M(Base):
            def forward(self, x): return super().forward(x)
        """,
        n="def helper(x): return other(x)\ndef other(x): return x\ndef unused(x): ...",
    )
    names = reached(found, "M")
    assert set(names) == {"M.forward", "Base.forward", "Base.step", "Base.scale", "helper", "other"}


def test_forward_reaches_methods_of_attributes_and_their_overrides():
    found = project(
        m="""
        from torch import nn
        class Source(nn.Module):
            def read(self): ...
        class Lazy(Source):
            def read(self): ...
        def build(name) -> Source: ...
        class M(nn.Module):
            def __init__(self):
                self.source = build("x")
                self.layers = nn.ModuleList([Layer() for _ in range(3)])
                self.kind = KINDS["a"]()
            def forward(self, x):
                for layer in self.layers:
                    x = layer(x)
                return self.kind(x) + self.source.read()
        class Layer(nn.Module):
            def forward(self, x): ...
        class Kind(nn.Module):
            def forward(self, x): ...
        KINDS = {"a": Kind}
        """
    )
    expected = {"M.forward", "Source.read", "Lazy.read", "Layer.forward", "Kind.forward"}
    assert set(reached(found, "M")) == expected


def test_forward_does_not_reach_what_the_compiler_leaves():
    found = project(
        m="""
        import torch
        class M(torch.nn.Module):
            def forward(self, x): return self.log(x)
            @torch.compiler.disable
            def log(self, x): ...
        """
    )
    assert reached(found, "M") == ["M.forward"]


def test_a_call_of_something_unknown_is_counted():
    found = project(m="class M:\n    def forward(self, x): return self.what(x)\n")
    assert reached_from(found, only(found, "M")).unknown == 1


def test_the_way_names_the_lines_from_forward_on():
    found = project(
        m="class M:\n def forward(self):\n  self.a()\n def a(self):\n  self.b()\n def b(self): ..."
    )
    steps = reached_from(found, only(found, "M")).functions
    way = next(step for fn, step in steps.items() if fn.name == "b").way
    assert [place.line for place in way] == [3, 5]
