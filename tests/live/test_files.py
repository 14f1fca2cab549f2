"""Whose a source file is decides what is recorded, watched and shown."""

from __future__ import annotations

import sysconfig

import pytest

from esper_audit._dynamo.files import is_library_file, is_user_file


@pytest.mark.parametrize(
    "path",
    [
        f"{sysconfig.get_path('purelib')}/tqdm/std.py",
        f"{sysconfig.get_path('platlib')}/numpy/core.py",
        "/home/me/.local/lib/python3.11/site-packages/tqdm/std.py",
        "/usr/lib/python3/dist-packages/yaml/__init__.py",
        "/elsewhere/.venv/lib/python3.11/site-packages/einops/layers.py",
    ],
)
def test_an_installed_package_is_not_the_users_own(path):
    assert not is_user_file(path) and not is_library_file(path)


@pytest.mark.parametrize("path", ["/home/me/train.py", "/srv/sites/packages/train.py"])
def test_a_project_is_the_users_own(path):
    assert is_user_file(path)


@pytest.mark.parametrize("path", [f"{sysconfig.get_path('stdlib')}/threading.py", "<string>"])
def test_the_standard_library_and_made_up_code_are_not(path):
    assert is_library_file(path) and not is_user_file(path)
