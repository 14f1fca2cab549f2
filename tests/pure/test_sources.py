"""Sources and keys in the user's terms."""

from __future__ import annotations

import ast

import pytest

from esper_audit.torch_text.guard_trees import sources_in, tree_of
from esper_audit.torch_text.sources import frame_key, in_user_terms


class Told:
    """Answers each question with what it was asked, so that a test sees what is asked of what."""

    def variable(self, _function, place):
        return f"cell{place}"

    def parameter(self, _function, place):
        return f"default_{place}"

    def bound(self, _partial, place):
        return f"bound_{place}"

    def key(self, _owner, place):
        return f"'key{place}'"

    def container(self, module, _entries):
        return "dict" if ast.unparse(module).endswith("['heads']") else "module"

    def class_name(self, _instance, place):
        return ("Own", "Base")[place]

    def argument(self, place):
        return f"argument{place}"

    def wrapped(self):
        return "self"

    def result(self, name):
        return "foo(y)" if name == "___stack0" else ""

    def injected(self, _name):
        return "self"


@pytest.mark.parametrize(
    ("torch_source", "wanted"),
    [
        ("L['self']._modules['slot']._alpha", "self.slot._alpha"),
        ("L['self']._modules['slots']._modules['0'].stage", "self.slots[0].stage"),
        ("L['self']._modules['layers']._modules", "self.layers"),
        ("L['self']._parameters['weight']", "self.weight"),
        ("L['self']._buffers['running-mean']", "self['running-mean']"),
        ("L['x'].size()[0]", "x.size()[0]"),
        ("G['config']['alpha']", "config['alpha']"),
        ("L['self'].__dict__['gain']", "self.gain"),
        ("len(L['items'])", "len(items)"),
        ("<global state>", "<global state>"),
        ("___from_numpy(L['frame']).size()[0]", "frame.shape[0]"),
        ("___as_tensor(L['self'].scale).item()", "self.scale"),
        ("L['x'].item()", "x.item()"),
        ("L['fn'].__closure__[2].cell_contents", "fn.<closure 2>"),
        ("L['f'].__kwdefaults__['mode']", "mode"),
        ("L['f'].__defaults__[0]", "f.__defaults__[0]"),
        ("list(dict.keys(L['d']))[1].name", "list(d)[1].name"),
        ("L['d'][list(dict.keys(L['d']))[0]]", "d[list(d)[0]]"),
        ("list.__getitem__(L['t'], 1)[0]", "t[1][0]"),
        ("dict.__getitem__(L['d'], 'a')", "d['a']"),
        ("object.__getattribute__(L['self'], 'x')", "self.x"),
        ("getattr(L['self'], 'odd name').x", "getattr(self, 'odd name').x"),
        ("type(L['self']).count", "type(self).count"),
        ("dict(type(L['self']).__dict__)['count']", "type(self).count"),
        ("L['self'].method.__func__.__code__", "self.method.__code__"),
        ("G['__import_torch_dot_nn_dot_utils_dot_parametrize']._cache", "torch.nn.utils.parametrize._cache"),
        ("G['__import_torch_dot_utils_dot__device'].CURRENT_DEVICE", "torch.utils._device.CURRENT_DEVICE"),
        ("G['__import_torch_dot_nn_dot_utils_dot_parametrize']._cache[(139949532073744, 'weight')]", "torch.nn.utils.parametrize._cache"),
        ("L['cache'][139949532073744].x", "cache[…].x"),
        ("L['cache'][(139949532073744, 'w')]", "cache[…, 'w']"),
        ("L['d'][2023]", "d[2023]"),
        ("L['x'], L['self']._buffers['b']", "x, self.b"),
        ("L['a'] is L['b']._modules['c']", "a is b.c"),
        ("'k' in L['d']", "'k' in d"),
        ("__import__('torch.overrides')._mode", "torch.overrides._mode"),
        ("G['__builtins_dict___3']['len']", "len"),
        ("G['model_7_c1']()", "model_7_c1"),
        ("L['ref']()", "ref"),
        ("L['x'].__neg__()", "-x"),
        ("___tuple_iterator_getitem(L['i'], 0)", "list(i)[0]"),
        ("___get_torch_function_mode_stack_at(0).device", "<torch function mode 0>.device"),
        ("1.0 + ((-1)*L['self']._modules['blocks']._modules['1'].p)", "1.0 + -1 * self.blocks[1].p"),
        ("L['d'][torch.float32]", "d[torch.float32]"),
        ("L['x'] size mismatch at index 0", "x size mismatch at index 0"),
    ],
)  # fmt: skip
def test_sources_read_as_the_user_wrote_them(torch_source, wanted):
    assert in_user_terms(torch_source) == wanted


@pytest.mark.parametrize(
    ("torch_source", "wanted"),
    [
        ("L['self'].act.__closure__[2].cell_contents['k']", "cell2['k']"),
        ("dict(type(L['self']).__dict__)['f'].__defaults__[0]", "default_0"),
        ("L['f'].__kwdefaults__['mode'].x", "default_mode.x"),
        ("L['p'].args[0]", "bound_0"),
        ("L['p'].keywords['k']", "bound_k"),
        ("L['d'][list(dict.keys(L['d']))[1]]", "d['key1']"),
        ("dict.__getitem__(L['d'], list(dict.keys(L['d']))[0])[2]", "d['key0'][2]"),
        ("list(dict.keys(L['d']))[1]", "list(d)[1]"),
        ("L['self']._modules['heads']._modules['a']._buffers['cos']", "self.heads['a'].cos"),
        ("L['self']._buffers['running-mean']", "getattr(self, 'running-mean')"),
        ("dict(type(L['self'].c).__mro__[1].__dict__)['seen']", "Base.seen"),
        ("L['self'].__class__.seen", "Own.seen"),
        ("L['self'].__class__.__name__", "self.__class__.__name__"),
        ("L['___stack0'].size()[0]", "foo(y).size()[0]"),
        ("L['___stack1']", "___stack1"),
        ("L['args'][1].size()[0]", "argument1.size()[0]"),
        ("L['fn'].__self__.alpha", "self.alpha"),
        ("L['fn']._modules['1'].p", "self[1].p"),
        ("G['__optimizer_139_c1']().param_groups[0]['lr']", "self.param_groups[0]['lr']"),
    ],
)
def test_live_objects_name_what_torch_counts(torch_source, wanted):
    assert in_user_terms(torch_source, Told()) == wanted


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("(1.0 + ((-1)*L['self'].p)) == 0.8", ["L['self'].p"]),
        ("L['y'].size()[0] == 1 + L['x'].size()[0]", ["L['y'].size()[0]", "L['x'].size()[0]"]),
        ("2*___as_tensor(L['s']).item() <= L['d'][0]", ["___as_tensor(L['s']).item()", "L['d'][0]"]),
        ("dict(type(L['m']).__dict__)['n']*3 < 10", ["dict(type(L['m']).__dict__)['n']"]),
        ("len(L['x']) == 2", ["L['x']"]),
        ("3 == 4", []),
    ],
)  # fmt: skip
def test_an_expression_gives_each_value_that_it_reads(expression, wanted):
    tree = tree_of(expression)
    assert tree is not None
    assert [ast.unparse(node) for node in sources_in(tree)] == wanted


def test_a_frame_key_holds_no_line_number_of_a_graph_break():
    key = frame_key("/p/a.py", "torch_dynamo_resume_in_forward_at_13", "/p")
    assert key == "a.py:torch_dynamo_resume_in_forward"


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("/home/me/project/a/b.py", "a/b.py:f"),
        ("/usr/lib/python3/site-packages/torch/nn/x.py", "torch/nn/x.py:f"),
        ("/home/me/beside/c.py", "../beside/c.py:f"),
        ("/usr/lib/python3.11/functools.py", "functools.py:f"),
        ("<string>", "<string>:f"),
    ],
)
def test_a_frame_key_survives_a_move_of_the_checkout(file, wanted):
    assert frame_key(file, "f", "/home/me/project") == wanted
