"""What the installed package says of its project."""

from __future__ import annotations

import importlib.metadata
import tomllib
from pathlib import Path

import pytest

from esper_audit.data.project import document_url, project_url

ROOT = Path(__file__).parents[2]
STATED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]


@pytest.fixture
def without_metadata(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "metadata", missing)
    project_url.cache_clear()
    yield
    project_url.cache_clear()


@pytest.mark.parametrize("label", STATED)
def test_the_metadata_state_each_address_of_the_project(label):
    assert project_url(label) == STATED[label], "run: ./dev setup"


def test_the_address_of_a_page_is_that_of_the_page_itself():
    base = "https://github.com/esper-audit/esper-audit/blob/main/docs"
    assert document_url("reference/cli.md") == f"{base}/reference/cli.md"


def test_without_metadata_no_address_is_made_up(without_metadata):
    assert (project_url(), document_url("reference/cli.md")) == ("", "")
