"""Sources and keys in the user's terms."""

from __future__ import annotations

import pytest

from esper_audit.torch_text.sources import frame_key, in_user_terms


@pytest.mark.parametrize(
    ("torch_source", "wanted"),
    [
        ("L['self']._modules['slot']._alpha", "self.slot._alpha"),
        ("L['self']._modules['slots']._modules['0'].stage", "self.slots[0].stage"),
        ("L['self']._parameters['weight']", "self.weight"),
        ("L['self']._buffers['running-mean']", "self['running-mean']"),
        ("L['x'].size()[0]", "x.size()[0]"),
        ("G['config']['alpha']", "config['alpha']"),
        ("L['self'].__dict__['gain']", "self.gain"),
        ("len(L['items'])", "len(items)"),
        ("<global state>", "<global state>"),
    ],
)
def test_sources_read_as_the_user_wrote_them(torch_source, wanted):
    assert in_user_terms(torch_source) == wanted


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
