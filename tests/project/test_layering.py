"""The house keeps its shape: imports run one way, and each dependency has one door."""

from __future__ import annotations

import re
import sys
from collections import defaultdict

from tests.project.sources import PACKAGE, Module, imports_of, modules, published
from tools.environments import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: The rooms, each line above all those before it. Rooms of one line know nothing of each other.
LAYERS = (
    ("text",),
    ("errors", "file_stamps", "forking", "kept", "leases"),
    ("concurrency",),
    ("protocols",),
    ("advice",),
    ("model",),
    ("graph",),
    ("events",),
    ("control",),
    ("grammar",),
    ("engine",),
    ("executors", "state", "connectors", "view"),
    ("defaults", "plan_view"),
    ("shortcuts",),
    ("door", "notices", "otel"),
    ("agents", "notebook", "testing"),
    ("terminal",),
    ("__init__",),
    ("__main__",),
)

#: The same inside of rooms, by folder and by module. What is not named here is one folder.
INSIDE = {
    "model": (
        ("options", "pickling", "found_by_name", "whole_pickler", "annotations"),
        ("lazy",),
        ("containers", "params", "resources"),
        ("copying",),
        ("arguments",),
        ("routing",),
        ("tasks", "upstream"),
        ("lazy_pickling",),
        ("__init__",),
    ),
    "graph": (
        ("graph", "values"),
        ("build", "code"),
        ("uses",),
        ("effects",),
        ("fingerprint",),
        ("serialization",),
        ("__init__",),
    ),
    "engine": (
        ("body_context", "loops", "run_controls", "scopes", "source_names"),
        ("core",),
        ("files",),
        ("reuse", "timing"),
        ("dispatch",),
        ("devices",),
        ("processes", "storage"),
        ("asking",),
        ("observing",),
        ("reporting",),
        ("inspection",),
        ("controls", "planning"),
        ("runs",),
        ("forked",),
        ("engine",),
        ("__init__",),
    ),
    "state": (
        ("keyring", "refused_results", "room", "row_checks", "sizes"),
        ("codec",),
        ("memory", "sqlite", "redis"),
        ("urls",),
        ("__init__",),
    ),
    "view": (("picture",), ("svg", "layered"), ("graphviz",), ("table", "visual"), ("__init__",)),
    "notebook": (
        ("kernel", "workspace", "roles"),
        ("shell",),
        ("cells", "session", "tracebacks", "prompt"),
        ("drawer",),
        ("panel", "startables"),
        ("freshness", "overview"),
        ("reprs", "parameters", "report"),
        ("export",),
        ("magics",),
        ("extension",),
        ("headless",),
        ("__init__",),
    ),
}

#: Who must not know whom, although they stand above them: adapters do not know the engine.
NEVER = {room: {"engine"} for room in ("executors", "state", "connectors", "view")}

#: What only the notebook's room may know.
NOTEBOOK_ONLY = {"IPython", "anywidget", "comm", "ipykernel", "ipywidgets", "traitlets"}

#: Imported under another name than the distribution's, or brought along by one that is declared.
BROUGHT_BY = {
    "annotated_types": "annotated-types",
    "attrs": "nbformat",
    "axe_playwright_python": "axe-playwright-python",
    "scipy": "scikit-learn",
    "sklearn": "scikit-learn",
    "IPython": "ipykernel",
    "comm": "ipykernel",
    "dask": "distributed",
    "pexpect": "ipykernel",
    "jupyter_client": "jupyter-client",
    "jupyter_core": "ipykernel",
    "zmq": "ipykernel",
    "nest_asyncio2": "nest-asyncio2",
    "opentelemetry": "opentelemetry-api",
    "paho": "paho-mqtt",
    "traitlets": "ipywidgets",
    "xdist": "pytest-xdist",
}

RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
INSIDE_RANK = {
    room: {part: rank for rank, parts in enumerate(layers) for part in parts}
    for room, layers in INSIDE.items()
}
LONGEST = 350
MOST = 13


def third_party(module: Module) -> set[str]:
    """The top names of what it imports from outside the project and the standard library."""
    since = {"annotationlib"}  # the standard library of Python 3.14 has it
    known = {*sys.stdlib_module_names, *since, "cascade_nb"}
    return {imported.top for imported in module.imports} - known


def test_there_is_something_to_judge() -> None:
    assert len(modules()) > 10


def test_a_module_stands_in_a_known_room() -> None:
    strange = {module.room for module in modules()} - RANK.keys()
    assert not strange, "add it to LAYERS, at its place"


def test_imports_run_one_way() -> None:
    wrong = []
    for module in modules():
        for imported in module.imports:
            if imported.top != "cascade_nb":
                continue
            other = [*imported.module.split("."), "__init__"][1]
            below = RANK[other] < RANK[module.room] and other not in NEVER.get(module.room, set())
            if not below and other != module.room:
                place = f"{module.inside}, line {imported.line}"
                wrong.append(f"{place}: {module.room} must not know {other}")
    assert not wrong, "\n".join(wrong)


def test_imports_run_one_way_inside_of_a_room_too() -> None:
    wrong = []
    for module in modules():
        if module.room not in INSIDE_RANK:
            continue
        ranks, part = INSIDE_RANK[module.room], module.part
        assert part in ranks, f"add {part!r} to INSIDE[{module.room!r}], at its place"
        for imported in module.imports:
            head, _, rest = imported.module.removeprefix("cascade_nb.").partition(".")
            if imported.top != "cascade_nb" or head != module.room:
                continue
            other = rest.partition(".")[0]
            if other != part and ranks[other] >= ranks[part]:
                place = f"{module.inside}, line {imported.line}"
                wrong.append(f"{place}: {part} must not know {other}")
    assert not wrong, "\n".join(wrong)


def circles(edges: dict[str, set[str]]) -> list[set[str]]:
    """The sets of modules each of which leads to each of the others, by way of imports."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        stack = [start]
        while stack:
            for other in edges[stack.pop()] - seen:
                seen.add(other)
                stack.append(other)
        return seen

    leads_to = {name: reached(name) for name in edges}
    inside = {name: {o for o in others if name in leads_to[o]} for name, others in leads_to.items()}
    return [found for name, found in inside.items() if found and name == min(found)]


def test_no_two_modules_lead_to_each_other_not_even_for_types() -> None:
    # Imports under TYPE_CHECKING count: who has to read one module to understand another, and that
    # one to understand the first, has to read both at once.
    names = {module.name: module for module in modules()}
    edges = {
        name: {imported.module for imported in module.imports} & names.keys()
        for name, module in names.items()
    }
    assert not circles(edges)


def test_a_folder_holds_no_more_than_one_sees_at_a_glance() -> None:
    folders = defaultdict(list)
    for module in modules():
        if module.path.name not in ("__init__.py", "__main__.py"):
            folders[module.path.parent.relative_to(PACKAGE).as_posix()].append(module.path.stem)
    full = {folder: len(names) for folder, names in folders.items() if len(names) > MOST}
    assert full == {}


def test_there_is_one_way_of_importing() -> None:
    # `from cascade_nb.room.module import Name`: a name is found by its import, rooms' __init__
    # files only hand names on to users, and no import depends on the order of another.
    wrong = []
    for module in modules():
        for imported in module.imports:
            place = f"{module.inside}, line {imported.line}"
            if imported.module.startswith("."):
                wrong.append(f"{place}: relative")
            elif imported.top == "cascade_nb":
                file = (PACKAGE.parent / imported.module.replace(".", "/")).with_suffix(".py")
                if not file.exists() or not imported.names:
                    wrong.append(f"{place}: not from a module: {imported.module}")
    assert not wrong, "\n".join(wrong)


def test_a_module_is_short_enough_to_be_read_at_once() -> None:
    lengths = {
        module.inside: len(module.path.read_text(encoding="utf-8").splitlines())
        for module in modules()
    }
    long = {name: lines for name, lines in lengths.items() if lines > LONGEST}
    assert not long, "two things in one?"


def test_only_the_notebook_room_knows_the_notebook() -> None:
    for module in modules():
        if module.room != "notebook":
            assert not third_party(module) & NOTEBOOK_ONLY, module.inside


def test_each_dependency_is_imported_in_one_file() -> None:
    doors = defaultdict(set)
    for module in modules():
        for name in third_party(module) - NOTEBOOK_ONLY:
            doors[name].add(module.inside)
    assert {name: files for name, files in doors.items() if len(files) > 1} == {}


def declared(*extras: str) -> set[str]:
    """The distributions that pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = [project["dependencies"], *(project["optional-dependencies"][e] for e in extras)]
    return {re.split(r"[^\w.-]", line)[0] for lines in lists for line in lines}


def test_what_the_package_imports_is_declared() -> None:
    known = declared("dask", "frames", "graphviz", "mcp", "mqtt", "otel", "redis", "terminal")
    for module in modules():
        for name in third_party(module):
            assert BROUGHT_BY.get(name, name) in known, f"{module.inside} imports {name}"


def test_what_the_tests_import_is_declared() -> None:
    # What lies on the machine where a test was written is missing on the next.
    ours = {"benchmarks", "cascade_nb", "tests", "tools"}
    later = {"tomllib"}  # part of Python since 3.11; on 3.10 it is tomli that is imported
    known = {
        *declared("test", "dask", "mcp", "mqtt", "otel"),
        *sys.stdlib_module_names,
        *later,
        *ours,
    }
    for path in published():
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in {"tests", "tools"}:
            for imported in imports_of(path):
                name = BROUGHT_BY.get(imported.top, imported.top)
                assert name in known, f"{path.relative_to(ROOT)} imports {name}"
