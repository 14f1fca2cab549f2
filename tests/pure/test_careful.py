"""Sources of guards are evaluated without a change to what they read."""

from collections import defaultdict

import pytest

from esper_audit._dynamo.careful import ITEM, compiled, item_of


def read(source, **values):
    return eval(compiled(source), {ITEM: item_of, "L": values})


@pytest.mark.parametrize("source", ["L['q']['k']", "L['q'][0].size()[0]", "list(L['q'][0][1])"])
def test_an_item_that_a_dictionary_would_make_is_missing(source):
    made: defaultdict[object, list[list[int]]] = defaultdict(lambda: [[1]])
    with pytest.raises(KeyError):
        read(source, q=made)
    assert not made


def test_what_is_there_is_read_as_python_reads_it():
    assert read("L['q']['k'][0]", q=defaultdict(list, k=[3])) == 3
    assert read("L['q'][1:][0]", q=[1, 2]) == 2
    assert read("L['q'][-1]", q=(1, 2)) == 2
    assert read("L['q']", q=4) == 4
