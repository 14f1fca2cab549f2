"""What makes each kind of lever of the evidence for a cause, or says why it can't be pulled. Pure.

Each was tried on small programs with torch 2.13; what was seen and is not obvious stands beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from esper_audit.data.compiles import ValueKind
from esper_audit.data.findings import Pattern
from esper_audit.data.reasons import Why
from esper_audit.data.remedies import (
    Because,
    Ground,
    Lever,
    LeverKind,
    NotMade,
    Reach,
    Remedy,
)
from esper_audit.remedies.evidence import MODULE_INTS, Evidence

_DYNAMO = "torch._dynamo.config."
_COMPILER = "torch.compiler.config."
_SYMBOLIC = "torch.fx.experimental._config."

RAISED_LIMIT = 64
"""In place of torch's own limit of 8, where a limit was hit."""

Found = Iterator[Remedy | NotMade]
Maker = Callable[[Evidence], Found]


def _config(name: str, value: object) -> Lever:
    return Lever(kind=LeverKind.CONFIG, name=name, value=repr(value))


def _keyword(name: str, value: object) -> Lever:
    return Lever(kind=LeverKind.COMPILE, name=name, value=repr(value))


def _made(e: Evidence, id_: str, reach: Reach, *levers: Lever, unsafe: bool = False) -> Remedy:
    return Remedy(id=id_, covers=(e.cause,), reach=reach, levers=levers, unsafe=unsafe)


def _not_made(e: Evidence, id_: str, ground: Ground, text: str = "") -> NotMade:
    return NotMade(id=id_, covers=(e.cause,), because=Because(ground=ground, text=text))


def _needs(e: Evidence, id_: str, version: tuple[int, int]) -> Found:
    """That the version of torch is too old, if it is."""
    if e.torch < version:
        yield _not_made(e, id_, Ground.NEEDS_TORCH, ".".join(map(str, version)))


def _entry(source: str) -> str:
    """A source as an entry of a list: torch splits at commas, drops spaces, tries ``re.match``.

    So a source with one of them, or that is no pattern, is written as a pattern
    (torch/_dynamo/variables/builder.py, ``get_dynamic_sources``, 2.7 to 2.13).
    """
    if not re.search(r"[ ,:]", source) and _is_pattern(source):
        return source
    return re.sub(r"\\?[ ,:]", ".", re.escape(source)) + "$"


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return True


def _listed(e: Evidence) -> str:
    """The sources as a list; from 2.13 on with the dimension, where that is known."""
    places = [f"{_entry(source)}:{place}" for source, place in e.places]
    covered = {source for source, _ in e.places}
    if e.torch < (2, 13) or not covered >= set(e.sources):
        places = [_entry(source) for source in e.sources]
    return ",".join(places)


def dynamic_sources(e: Evidence) -> Found:
    """The narrowest: it frees ints of modules, globals and defaults, and sizes of parameters."""
    if (e.is_int or e.places) and any(e.sources):
        lever = _config(f"{_COMPILER}dynamic_sources", _listed(e))
        yield _made(e, "dynamic-sources", Reach.SOURCE, lever)


def unbacked_sources(e: Evidence) -> Found:
    """Holds for 0 and 1, too. No effect on parameters and buffers; may break the graph (2.13)."""
    for _ in () if e.of_module_state else dynamic_sources(e):
        lever = _config(f"{_COMPILER}unbacked_sources", _listed(e))
        yield _made(e, "unbacked-sources", Reach.SOURCE, lever)


def _marks(e: Evidence, id_: str, name: str) -> Found:
    """Marks on arguments; the tensors of a module are its own, and no place to mark.

    Torch's wrapper around a library's module knows its arguments by their places alone.
    """
    frame = e.cause.frame
    is_wrapper = frame.name != frame.raw_name
    places = [(s, d) for s, d in e.places if _is_argument(s, is_wrapper)]
    if e.is_program or not e.is_direct or len(places) < len(e.places) or not places:
        return
    function = frame.name if is_wrapper else frame.raw_name
    levers = [
        Lever(kind=LeverKind.MARK, name=name, value=repr((source, place, function)))
        for source, place in places
    ]
    yield _made(e, id_, Reach.SOURCE, *levers)


def _is_argument(source: str, is_wrapper: bool) -> bool:
    if is_wrapper:
        return source.startswith(("L['args']", "L['kwargs']"))
    is_own = source.startswith("L['self']") or "._parameters[" in source
    return source.startswith("L[") and not is_own


def mark_dynamic(e: Evidence) -> Found:
    """Raises where the code needs the size as a number, which is an answer, too."""
    yield from _marks(e, "mark-dynamic", "mark_dynamic")


def mark_unbacked(e: Evidence) -> Found:
    """The same for sizes of 0 and 1, where ``mark_dynamic`` doesn't help."""
    yield from _marks(e, "mark-unbacked", "mark_unbacked")


def dynamic(e: Evidence) -> Found:
    """No effect on parameters, buffers and ints that torch bakes in; so it isn't given there."""
    is_free = not (e.of_module_state or e.is_baked_int)
    if is_free and (e.is_int or e.is_float or e.places):
        yield from _with_dynamic(e, "dynamic", Reach.CALLABLE)


def _with_dynamic(e: Evidence, id_: str, reach: Reach, *levers: Lever) -> Found:
    """``dynamic=True`` and other levers, where the run or the program doesn't set it."""
    set_to = {"true": "dynamic=True", "false": "dynamic=False"}.get(e.option("dynamic"))
    if set_to is not None:
        yield _not_made(e, id_, Ground.SET_BY_USER, set_to)
    else:
        yield _made(e, id_, reach, _keyword("dynamic", True), *levers)


def _in_frame(e: Evidence, id_: str, *settings: str) -> Found:
    """Settings for one frame, by torch's number of it, which is another one after some edits.

    Applied around the tracing of the frame alone (torch/_dynamo/graph_id_filter.py, 2.12).
    """
    name = "debug_dynamo_config_override"
    too_old = tuple(_needs(e, id_, (2, 12)))
    if too_old:
        yield from too_old
    elif e.frame_id.isdigit():
        value = f"{e.frame_id}:{','.join(settings)}"
        yield _made(e, id_, Reach.FRAME, _config(f"{_DYNAMO}{name}", value))


def module_ints(e: Evidence) -> Found:
    """Alone it still compiles once more, at the second value; with ``dynamic=True`` it doesn't.

    ``assume_static_by_default`` is what ``dynamic=True`` switches off.
    """
    if e.is_of_module:
        setting = _config(MODULE_INTS, True)
        by_frame = (f"{MODULE_INTS.rpartition('.')[2]}=True", "assume_static_by_default=False")
        yield from _in_frame(e, "module-ints-in-frame", *by_frame)
        yield from _with_dynamic(e, "module-ints-dynamic", Reach.PROCESS, setting)
        yield _made(e, "module-ints", Reach.PROCESS, setting)


def module_sizes(e: Evidence) -> Found:
    """``force_nn_module_property_static_shapes`` is not needed (2.13). Alone it compiles once more;
    with ``dynamic=True`` sizes that were equal at first are then held equal, unless told not to."""
    if e.of_module_state:
        setting = _config(f"{_DYNAMO}force_parameter_static_shapes", False)
        free = _config(f"{_SYMBOLIC}use_duck_shape", False)
        by_frame = ("force_parameter_static_shapes=False", "assume_static_by_default=False")
        yield from _in_frame(e, "module-sizes-in-frame", *by_frame)
        yield from _with_dynamic(e, "module-sizes-dynamic", Reach.PROCESS, setting, free)
        yield _made(e, "module-sizes", Reach.PROCESS, setting)


def unequal_sizes(e: Evidence) -> Found:
    """Sizes that were equal at first are one symbol: then they have to stay equal."""
    if e.relates_sizes:
        yield _made(e, "unequal-sizes", Reach.PROCESS, _config(f"{_SYMBOLIC}use_duck_shape", False))


def sizes_of_one(e: Evidence) -> Found:
    """Sizes of 0 and 1 as any other; "experimental" (torch/fx/experimental/_config.py, 2.7)."""
    setting = _config(f"{_SYMBOLIC}backed_size_oblivious", True)
    yield from _with_dynamic(e, "sizes-of-one", Reach.PROCESS, setting)


def hinted(e: Evidence) -> Found:
    """What torch's own advice names as code, each setting by itself."""
    for lever in e.hinted:
        if lever.name != MODULE_INTS:
            yield _made(e, "torch-hint", Reach.PROCESS, lever)


def warm_up(e: Evidence) -> Found:
    """Visits every variant that was seen. New values that keep coming can't be visited before:
    a rehearsal would visit those of any other cause, too, and show nothing."""
    if e.is_program or e.pattern is None:
        return
    if e.has_storm:
        yield _not_made(e, "warm-up", Ground.VALUES_GO_ON)
    else:
        yield _made(e, "warm-up", Reach.CALLABLE, Lever(kind=LeverKind.WARM_UP))


def eager_first(e: Evidence) -> Found:
    """Fills caches before anything is compiled. No effect where they are emptied again."""
    if not e.is_program:
        lever = Lever(kind=LeverKind.EAGER_FIRST, value="1")
        yield _made(e, "eager-first", Reach.CALLABLE, lever)


def eager_first_once(e: Evidence) -> Found:
    """The same for what changed once, as an attribute that the first call sets."""
    if e.pattern is Pattern.SINGLE:
        yield from eager_first(e)


def drop_guard(e: Evidence) -> Found:
    """Hides the change: right only where it doesn't matter. Of tensors it might corrupt memory."""
    is_tensor = any(failure.expected_kind is ValueKind.TENSOR for failure in e.failures)
    values = [source for source in e.sources if source.startswith(("L[", "G["))]
    for source in values[:1] if not is_tensor else ():
        lever = Lever(kind=LeverKind.DROP_GUARD, value=repr(source))
        yield _made(e, "drop-guard", Reach.SOURCE, lever, unsafe=True)


def isolate(e: Evidence) -> Found:
    """Each ``torch.compile`` has cache entries and a limit of its own; the first calls compile.

    One object that is compiled once shares its limit with nobody.
    """
    if not e.is_shared:
        return
    too_old = tuple(_needs(e, "isolate-recompiles", (2, 13)))
    remedy = _made(e, "isolate-recompiles", Reach.CALLABLE, _keyword("isolate_recompiles", True))
    yield from too_old or (remedy,)


def recompile_limit(e: Evidence) -> Found:
    """Delays where values go on; enough where there are as many as objects."""
    if e.option("recompile_limit") not in ("", "default"):
        yield _not_made(e, "recompile-limit", Ground.SET_BY_USER, "recompile_limit")
    else:
        limit = _config(f"{_DYNAMO}recompile_limit", RAISED_LIMIT)
        yield _made(e, "recompile-limit", Reach.PROCESS, limit)


def limit_that_was_hit(e: Evidence) -> Found:
    """A higher limit, where one was hit: it shows that this only delays."""
    if e.finding is not None and e.finding.limit_hit:
        yield from recompile_limit(e)


def empty_graphs(e: Evidence) -> Found:
    """A frame without a tensor operation is compiled, too; other calls of it compile once more."""
    yield from _in_frame(e, "allow-empty-graph-in-frame", "allow_empty_graphs=True")
    yield _made(
        e, "allow-empty-graphs", Reach.PROCESS, _config(f"{_DYNAMO}allow_empty_graphs", True)
    )


def fullgraph(e: Evidence) -> Found:
    """One graph or an error: then a frame without operations is compiled, too."""
    if e.option("fullgraph") == "true":
        yield _not_made(e, "fullgraph", Ground.SET_BY_USER, "fullgraph=True")
    else:
        yield _made(e, "fullgraph", Reach.CALLABLE, _keyword("fullgraph", True))


def nested_breaks(e: Evidence) -> Found:
    """Breaks a graph inside of a call, and not at the call of the frame that holds it (2.9)."""
    too_old = tuple(_needs(e, "nested-graph-breaks", (2, 9)))
    setting = _config(f"{_DYNAMO}nested_graph_breaks", True)
    yield from too_old or (_made(e, "nested-graph-breaks", Reach.PROCESS, setting),)


def switched_on(e: Evidence) -> Found:
    """Where a setting switched compiling off. TORCHDYNAMO_DISABLE acts later: no setting helps."""
    why = e.finding.why if e.finding is not None else None
    names = why.names if why is not None and why.why is Why.SETTING else ()
    if names and names[0] in ("disable", "TORCH_COMPILE_DISABLE"):
        yield _made(e, "enable", Reach.PROCESS, _config(f"{_DYNAMO}disable", False))


_CHECKS: tuple[tuple[str, bool, tuple[int, int], tuple[int, int]], ...] = (
    ("skip_nnmodule_hook_guards", False, (2, 8), (99, 0)),
    ("skip_guards_on_constant_func_defaults", False, (2, 9), (2, 11)),
    ("use_recursive_dict_tags_for_guards", False, (2, 9), (2, 11)),
    ("skip_tensor_guards_with_matching_dict_tags", False, (2, 8), (99, 0)),
    ("assume_dunder_attributes_remain_unchanged", False, (2, 9), (99, 0)),
    ("skip_no_tensor_aliasing_guards_on_parameters", False, (2, 8), (99, 0)),
    ("specialize_float", True, (2, 8), (99, 0)),
)
"""Settings by which torch leaves guards out, what puts them back, and from which version up to
which one they are not so already. ``guard_nn_modules`` is on in all (2.8 to 2.13)."""


def checks(e: Evidence) -> Found:
    """Each switch by itself: the one that makes output right names what was not guarded."""
    for name, value, since, until in _CHECKS:
        if since <= e.torch <= until:
            id_ = name.replace("_", "-")
            yield _made(e, id_, Reach.PROCESS, _config(f"{_DYNAMO}{name}", value))
    caches = _config(f"{_COMPILER}force_disable_caches", True)
    yield _made(e, "force-disable-caches", Reach.PROCESS, caches)
