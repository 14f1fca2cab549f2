"""Learning rates, module-level numbers, early returns, and lines that come too late."""

from __future__ import annotations

import pytest
from edited import at, edit_of, edited, finding, lines, refusal

from esper_audit.data.compiles import Held, Origin
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Writer
from esper_audit.data.remedies import Ground
from esper_audit.remedies.patches import captured, empty_graph, learning_rate, order
from esper_audit.remedies.patches.refused import Unconcerned

# --- learning rates ---

RATE = finding(
    Diagnosis.FLOAT_SPECIALIZED, "opt.param_groups[0]['lr']", expected="0.1", actual="0.2"
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("torch.optim.SGD(p, lr=0.1)", "torch.optim.SGD(p, lr=torch.tensor(0.1))"),
        ("optim.AdamW(p, args.lr)", "optim.AdamW(p, torch.tensor(args.lr))"),
        ("optim.Adam(p)", "optim.Adam(p, lr=torch.tensor(0.001))"),
        (
            "optim.SGD([{'params': p, 'lr': 0.2}, {'params': q}], lr=rate)",
            "optim.SGD([{'params': p, 'lr': torch.tensor(0.2)}, {'params': q}], "
            "lr=torch.tensor(rate))",
        ),
    ],
)
def test_a_learning_rate_becomes_a_tensor_where_the_optimizer_is_made(before, after):
    text = "import torch\nfrom torch import optim\n\nopt = {}  # with momentum\n"
    assert edit_of(learning_rate.make, text.format(before), RATE) == text.format(after)


def test_a_hand_written_schedule_fills_it_in_place():
    text = lines(
        """
        import torch

        opt = torch.optim.SGD(p, lr=0.1)

        def warm(value):
            for number, group in enumerate(opt.param_groups):
                group["lr"] = value * number  # ramp
                group["lr"] *= 2
            settings["lr"] = value
        """
    )
    result = edit_of(learning_rate.make, text, RATE)
    assert result == text.replace("lr=0.1", "lr=torch.tensor(0.1)").replace(
        'group["lr"] = value * number', 'group["lr"].fill_(value * number)'
    )


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("base = {}", "base = float({})"),
        ("history.append({})", "history.append(float({}))"),
        ("log = {{'lr': {}}}", "log = {{'lr': float({})}}"),
        ("print({})", "print({})"),
    ],
)
def test_a_learning_rate_that_is_kept_stays_a_number(line, after):
    text = "import torch\n\nopt = torch.optim.SGD(p, lr=0.1)\n"
    rate = "opt.param_groups[0]['lr']"
    result = edit_of(learning_rate.make, text + line.format(rate) + "\n", RATE)
    assert result.endswith(f"\n{after.format(rate)}\n")


def test_torch_is_imported_where_the_file_does_not():
    text = '"""Trains."""\n\nfrom torch.optim import SGD\n\nopt = SGD(p, lr=0.1)\n'
    result = edit_of(learning_rate.make, text, RATE)
    assert result == (
        '"""Trains."""\n\nimport torch\nfrom torch.optim import SGD\n\n'
        "opt = SGD(p, lr=torch.tensor(0.1))\n"
    )


def test_an_optimizer_of_another_file_is_found():
    other = "import torch\n\n\ndef made(p):\n    return torch.optim.SGD(p, lr=0.1)\n"
    result = edited(learning_rate.make, "x = 1\n", RATE, **{"made.py": other})
    assert result == {"made.py": other.replace("lr=0.1", "lr=torch.tensor(0.1)")}


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("opt = SGD(p, lr=0.1, foreach=True)\n", "an optimizer without foreach=True"),
        (
            "opt = SGD([{'params': p}, {'params': q}], lr=0.1)\n"
            "for group in opt.param_groups:\n    group['lr'] *= 0.5\n",
            "a learning rate of its own for each parameter group",
        ),
        ("opt = MyOptimizer(p, lr=0.1)\n", "an optimizer of torch that is made in this project"),
    ],
)
def test_an_optimizer_that_can_not_take_a_tensor_is_left_alone(text, missing):
    because = refusal(
        learning_rate.make, f"import torch\nfrom torch.optim import SGD\n{text}", RATE
    )
    assert because.text.startswith(missing)


def test_another_float_is_no_learning_rate():
    found = finding(Diagnosis.FLOAT_SPECIALIZED, "self.alpha", expected="0.1")
    with pytest.raises(Unconcerned):
        edit_of(learning_rate.make, "x = 1\n", found)


# --- module-level numbers ---

LIMIT = finding(Diagnosis.CAPTURED_VARIABLE, "limit", expected="1.0", actual="0.5")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("limit = 0.5  # less", "limit.fill_(0.5)  # less"),
        ("limit *= 0.5", "limit *= 0.5"),
        (
            "def lower(by):\n    global limit\n    limit = limit - by",
            "def lower(by):\n    global limit\n    limit.fill_(limit - by)",
        ),
    ],
)
def test_a_module_level_float_becomes_a_tensor_that_is_filled(before, after):
    text = "import torch\n\nlimit = 1  # at most\n\ndef clip(x):\n    return x.clamp(max=limit)\n\n{}\n"
    expected = text.replace("limit = 1 ", "limit = torch.tensor(1.0) ").format(after)
    assert edit_of(captured.make, text.format(before), LIMIT) == expected


@pytest.mark.parametrize(
    ("reads", "missing"),
    [
        ("print(f'{limit}')", "reads of limit that take a tensor"),
        ("x = table[limit]", "reads of limit that take a tensor"),
        ("x = int(limit)", "reads of limit that take a tensor"),
    ],
)
def test_a_number_that_python_needs_stays_a_number(reads, missing):
    text = f"import torch\n\nlimit = 1.0\n{reads}\nlimit = 0.5\n"
    assert refusal(captured.make, text, LIMIT).text == missing


def test_a_variable_that_is_computed_is_refused():
    text = "import torch\n\nlimit = load()\nlimit = 0.5\n"
    assert "a literal number" in refusal(captured.make, text, LIMIT).text


def test_a_variable_of_a_function_around_is_refused():
    found = finding(
        Diagnosis.CAPTURED_VARIABLE,
        "limit",
        expected="1.0",
        actual="0.5",
        origin=Origin(Held.CLOSURE, "clip"),
    )
    assert "a variable of the module" in refusal(captured.make, "limit = 1.0\n", found).text


# --- early returns ---


def empty(text: str):
    return finding(Diagnosis.EAGER_EMPTY_GRAPH, frame_line=at(text, "def forward").line)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("return x.relu() if self.on else x", "return x.relu() if self.on else x.view_as(x)"),
        (
            "if not self.on:\n            return x  # as it is\n        return x.relu()",
            "if not self.on:\n            return x.view_as(x)  # as it is\n        return x.relu()",
        ),
        (
            "if self.on:\n            x = x.relu()\n            return x\n        return y",
            "if self.on:\n            x = x.relu()\n            return x\n        return y.view_as(y)",
        ),
    ],
)
def test_an_early_return_computes_a_view(before, after):
    text = "class Slot(torch.nn.Module):\n    def forward(self, x, y=None):\n        {}\n"
    whole = text.format(before)
    assert edit_of(empty_graph.make, whole, empty(whole)) == text.format(after)


def test_a_function_that_returns_something_made_is_left_alone():
    text = "def forward(x):\n    return [x]\n"
    because = refusal(empty_graph.make, text, empty(text))
    assert (because.ground, because.text) == (Ground.NO_PATTERN, "a return of an argument as it is")


# --- lines that come too late ---


def late(text: str, called_from: str = ""):
    place = at(text, "# writes")
    called = at(text, called_from) if called_from else None
    return finding(
        Diagnosis.REQUIRES_GRAD_CHANGED, "self.weight", writers=(Writer(place, called, 1),)
    )


def test_a_change_moves_above_the_first_compiled_call():
    text = lines(
        """
        step = torch.compile(model)
        # the first
        step(x)
        # frozen now
        model.weight.requires_grad_(False)  # writes
        step(x)
        """
    )
    assert edit_of(order.make, text, late(text)) == lines(
        """
        step = torch.compile(model)
        # the first
        # frozen now
        model.weight.requires_grad_(False)  # writes
        step(x)
        step(x)
        """
    )


def test_a_change_in_a_function_moves_with_its_call():
    text = lines(
        """
        def freeze(model):
            model.weight.requires_grad_(False)  # writes

        def train(model, x):
            step = torch.compile(model)
            for _ in range(3):
                step(x)
            freeze(model)
            return step(x)
        """
    )
    result = edit_of(order.make, text, late(text, "    freeze(model)"))
    assert "    freeze(model)\n    for _ in range(3):\n" in result


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("step = torch.compile(m)\ny = step(x)\ny.sum().backward()  # writes\n", "needs nothing"),
        ("step = torch.compile(m)\nfreeze(m)  # writes\nstep(x)\n", "a compiled call before it"),
        (
            "step = torch.compile(m)\nstep(x)\nwith torch.no_grad():  # writes\n    step(x)\n",
            "a change that is a line of its own",
        ),
    ],
)
def test_a_change_that_can_not_move_stays(text, missing):
    assert missing in refusal(order.make, text, late(text)).text
