"""Follows a function, piece by piece, to everything in code that its result could depend on."""

from __future__ import annotations

import functools
import sys
import types
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from cascade_nb.graph.code.classes import Member, class_content_of
from cascade_nb.graph.code.environment import EnvironmentReads
from cascade_nb.graph.code.modules import changed_since_import, imports_of, module_text, within
from cascade_nb.graph.code.origin import (
    CodeOwner,
    counts,
    file_of_module,
    origin_of,
    origin_of_module,
    origin_of_namespace,
)
from cascade_nb.graph.code.reflection import Reflection, identity_bytes
from cascade_nb.graph.code.source import Facts, decorators_of, facts_of
from cascade_nb.graph.code.targets import SET_BY_PYTHON, put_on_classes, reads_of, target_of
from cascade_nb.graph.code.titles import (
    Label,
    Labels,
    constant_label,
    defaults_of,
    label_of,
    plain_of,
    set_on_task,
    title_of,
    wrapped_chain,
    written_name,
)
from cascade_nb.graph.values.atoms import ATOMS, CannotKeyError, digest, frame, not_computed, text
from cascade_nb.graph.values.code_objects import is_code
from cascade_nb.graph.values.encoder import Encoder
from cascade_nb.graph.values.short_repr import ValueSnapshot, value_snapshot
from cascade_nb.model.tasks.task import Task

_MISSING: Final = object()
# What `functools` itself sets on functions; a signature only says how another function is called.
_NOT_ATTRIBUTES: Final = frozenset({"__wrapped__", "cache_parameters", "__signature__"})


class CodeWalk:
    """One look at a function and at what it leads to.

    Pieces refer to each other by their names, and each is looked at once, off a queue:
    cycles end, and long chains of helpers need no deep stack.

    Attributes:
        parts: digest of each piece by its name.
        sources: the text of those that have one.
        values: those that are values, as a person can read them.
        unkeyed: what could not be keyed, in words.
        environment: what the code reads of what is around it.
        reflection: what it asks of functions and classes.
    """

    def __init__(self) -> None:
        self.parts: dict[str, bytes] = {}
        self.sources: dict[str, str] = {}
        self.values: dict[str, ValueSnapshot] = {}
        self.unkeyed: list[str] = []
        self._names: dict[int, Label] = {}
        self._labels = Labels()
        self._alive: list[Any] = []
        self._modules: dict[str, Label] = {}
        self._constants: dict[tuple[int, str], Label] = {}
        self._todo: deque[tuple[Label, Any]] = deque()
        self._encoder = Encoder(self._hold, not_computed)
        self.environment, self.reflection = EnvironmentReads(), Reflection()
        self._ignored: frozenset[str] = frozenset()
        # What was set on tasks beside what a task has, by the id of their function.
        self._set_on: dict[int, Mapping[str, Any]] = {}

    def run(self, thing: Any) -> Label:
        """Look at `thing` and all that it leads to; the name of its own piece."""
        self._ignored = thing.ignore if isinstance(thing, Task) else frozenset()
        thing = self._plain(thing)
        if not counts(thing, origin_of(thing)):
            root = self._unused(label_of("function", thing))
            self._value(root, thing)
        elif isinstance(thing, types.FunctionType):
            root = self._name_chain(thing)
        else:
            root = self._admit(thing, label_of("class", thing))
        self._look_at_all()
        variables = self.environment.found().items()
        self.parts.update((f"environment variable {n}", digest(text(v))) for n, v in variables)
        self.parts.update(self.reflection.parts())
        for words, value in self.environment.around():
            self._value(Label.of(words), value)
        self._look_at_all()  # what is set may be a function
        return root

    def _look_at_all(self) -> None:
        while self._todo:
            self._look(*self._todo.popleft())
            if not self._todo:
                self.parts.update(self.reflection.subclasses(self.refer))

    def refer(self, thing: Any) -> bytes:
        """The bytes that stand for a function, class or module; it is looked at later."""
        thing = self._plain(thing)
        label = self._names.get(id(thing))
        if label is not None:
            return b"@" + text(label.keyed)
        if isinstance(thing, types.ModuleType):
            return self._module(thing.__name__, thing)
        origin = origin_of(thing)
        if isinstance(thing, functools._lru_cache_wrapper) or counts(thing, origin):
            kind = "class" if isinstance(thing, type) else "helper"
            return b"@" + text(self._admit(thing, label_of(kind, thing)).keyed)
        name = frame(b"n", text(origin.module) + text(title_of(thing)))
        if origin.owner is CodeOwner.INSTALLED:
            self.parts[origin.part] = digest(text(origin.part))
        elif origin.owner is CodeOwner.LOCAL:  # compiled code under edit
            return name + self._module(origin.module, None)
        return name

    def _hold(self, thing: Any) -> bytes:
        """The same of what is in a value, or is handed on: who has it can ask what it is."""
        said = self.refer(thing)
        return said + identity_bytes(thing) if id(plain_of(thing)) in self._names else said

    def _admit(self, thing: Any, wanted: Label) -> Label:
        """Give `thing` a name among the parts, and put it on the queue."""
        label = self._unused(wanted)
        self._names[id(thing)] = label
        self._alive.append(thing)  # an id is a name only while its object lives
        self._todo.append((label, thing))
        return label

    def _unused(self, wanted: Label) -> Label:
        label = self._labels.unused(wanted)
        self.parts[label] = b""
        return label

    def _name_chain(self, thing: types.FunctionType) -> Label:
        """Name the innermost of wrapped functions as the user does, the others as decorators."""
        *outer, inner = wrapped_chain(thing)
        for one in outer:
            self._admit(one, Label.of(f"decorator {written_name(one)}"))
        self._admit(inner, label_of("function", inner))
        return self._names[id(thing)]

    def _look(self, label: Label, thing: Any) -> None:
        if isinstance(thing, types.FunctionType):
            said = self._function(label, thing)
        elif isinstance(thing, type):
            said = self._class(thing)
            self.reflection.cls(label, thing)
        elif isinstance(thing, str):
            said = self._module_said(label, thing)
        else:  # functools.lru_cache around a function
            said = self._inner(thing.__wrapped__)
            said += self._encoder.encode(thing.cache_parameters())
            said += self._attributes(label, vars(thing), whole=True)
        self.parts[label] = digest(said)

    def _function(self, label: Label, function: types.FunctionType) -> bytes:
        space = function.__globals__
        origin = origin_of_namespace(space)
        wrapped = function.__dict__.get("__wrapped__", _MISSING)
        said, facts = b"", facts_of(function.__code__) if origin.followed else None
        if facts is not None:
            said += facts.digest + self._read(facts, space)
            self.environment.code(facts.names, facts.texts, imports=bool(facts.imports))
            self.reflection.code(facts.names, facts.texts)
            self.reflection.function(label, function, facts)
            if facts.source is not None:
                self.sources[label] = facts.source
        else:
            said += text(origin.module) + text(written_name(function))
            if origin.owner is CodeOwner.INSTALLED:
                self.parts[origin.part] = digest(text(origin.part))
        ignored = self._ignored if label.startswith("function ") else ()
        for name, value in defaults_of(function).items():
            if name not in ignored:
                said += text(name) + self._own(label.part(f"default {name}"), value, facts)
        if wrapped is not _MISSING:
            said += self._wrapped(wrapped)
        registry = function.__dict__.get("registry")
        if isinstance(registry, types.MappingProxyType):  # functools.singledispatch
            return said + self._value(label.part("registry"), registry)
        set_on = {**function.__dict__, **self._set_on.get(id(function), {})}
        said += self._attributes(label, set_on, whole=origin.followed)
        return said + self._closure(function, label, facts, wrapped)

    def _attributes(self, whose: Label, set_on: Mapping[str, Any], *, whole: bool) -> bytes:
        """What was set on a function; of a library's wrapper, which keeps books, plain values."""
        said = b""
        for name in sorted(set_on.keys() - _NOT_ATTRIBUTES):
            if whole or type(set_on[name]) in ATOMS:
                said += text(name) + self._value(whose.part(f"attribute {name}"), set_on[name])
        return b"a" + said if said else b""

    def _plain(self, thing: Any) -> Any:
        """The function of a task or resource; anything else as it is."""
        if isinstance(thing, Task) and (beside := set_on_task(thing)):
            self._set_on[id(thing.fn)] = beside
        return plain_of(thing)

    def _read(self, facts: Facts, space: Mapping[str, Any]) -> bytes:
        """What the global names that a body reads stand for today."""
        said = b""
        for where, names in reads_of(facts, space):
            if target := self._target(where, names, facts.holds(*names)):
                said += text(".".join(names)) + target
        said += b"".join(self._imported(*one) for one in imports_of(facts, space))
        said += b"".join(text(n) + self.refer(one) for n, one in put_on_classes(facts, space))
        return said

    def _closure(
        self, function: types.FunctionType, whose: Label, facts: Facts | None, wrapped: Any
    ) -> bytes:
        said = b""
        names, cells = function.__code__.co_freevars, function.__closure__ or ()
        for name, cell in zip(names, cells, strict=True):
            try:
                value = cell.cell_contents
            except ValueError:  # not bound yet
                continue
            if facts is None and isinstance(wrapped, types.FunctionType):
                # a library's decorator may keep anything; what it was told stands in the source
                try:
                    said += text(name) + self._encoder.encode(value)
                except CannotKeyError:
                    said += b"".join(one.digest for one in decorators_of(wrapped))
                continue
            said += text(name) + self._own(whose.part(f"closure {name}"), value, facts)
        return said

    def _wrapped(self, inner: Any) -> bytes:
        """What a decorator got: the function, and its annotations, which decorators may read."""
        inner = plain_of(inner)
        said = b"w" + self._inner(inner)
        return said + (facts_of(inner.__code__).annotations if hasattr(inner, "__code__") else b"")

    def _inner(self, one: Any) -> bytes:
        return self.refer(one) if is_code(one) else self._value(Label.of("what it wraps"), one)

    def _class(self, cls: type) -> bytes:
        shape = class_content_of(cls)
        said = b"".join(map(self.refer, shape.bases))
        said += self._encoder.encode(shape.annotations)
        if shape.fields:
            said += self._value(Label.of(f"fields of {title_of(cls)}"), shape.fields)
        for member in shape.members:
            said += text(member.name) + text(member.role) + self._member(cls, member)
        return said

    def _member(self, cls: type, member: Member) -> bytes:
        if not member.functions:
            what = f"attribute {title_of(cls)}.{member.name}"
            what = what if member.name else f"members of {title_of(cls)}"
            return self._value(Label.of(what), member.value)
        said = b""
        for function in member.functions:
            if id(function) not in self._names and counts(function, origin_of(function)):
                self._admit(function, label_of("method", function))
            said += self.refer(function)
        return said

    def _target(self, space: Mapping[str, Any], names: tuple[str, ...], held: bool) -> bytes:
        """What ``a.b.c`` leads to; nothing where the name is not set."""
        found = target_of(space, names)
        if found is None:
            return b""
        self.environment.value(found.value)
        if not is_code(found.value):
            return self._constant(*found)
        # Of what it takes an attribute from it keeps no more than that.
        return (self._hold if held and found.name == names[-1] else self.refer)(found.value)

    def _constant(self, space: Mapping[str, Any], name: str, value: Any) -> bytes:
        label = self._constants.get((id(space), name))
        if label is None:
            origin = origin_of_namespace(space)
            label = self._unused(constant_label(origin, name))
            self._constants[id(space), name] = label
            self._value(label, value)
            if not origin.followed:  # of a library, whose version counts all the same
                self._module(origin.module, None)
        return b"@" + text(label.keyed)

    def _own(self, label: Label, value: Any, facts: Facts | None) -> bytes:
        """The same of what a function carries along under a name."""
        name = label.partition(" ")[2].partition(" ")[0]
        return self._value(label, value, held=facts is None or facts.holds(name))

    def _value(self, label: Label, value: Any, *, held: bool = True) -> bytes:
        """Make `value`, which code has for more than to call it where it is `held`, a part of its
        own; the bytes that stand for it.
        """
        if self.parts.get(label, _MISSING):  # it was not made for this
            label = self._unused(label)
        self.values[label] = value_snapshot(value)
        self.environment.value(value)
        try:
            called = is_code(value) and not held
            self.parts[label] = digest((self.refer if called else self._encoder.encode)(value))
        except CannotKeyError as error:
            self.parts[label] = b"?"
            self.unkeyed.append(f"{label} ({error.what}) cannot be keyed: {error.why}")
        return b"@" + text(label.keyed)

    def _module(self, name: str, module: types.ModuleType | None) -> bytes:
        """The bytes of a module, which is looked at later if its content counts."""
        self.environment.settings.library(name)
        origin = origin_of_module(name)
        if origin.owner is CodeOwner.INSTALLED:
            self.parts[origin.part] = digest(text(origin.part))
        if not origin.followed or name == "__main__":
            return frame(b"n", text(name))
        label = self._modules.get(name)
        if label is None:
            label = self._modules[name] = self._unused(Label.of(f"module {name}"))
            if origin.file is None and module is not None:  # made by hand
                held = {k: v for k, v in vars(module).items() if k not in SET_BY_PYTHON}
                self._value(label, held)
            else:
                self._todo.append((label, name))
        return b"@" + text(label.keyed)

    def _module_said(self, label: Label, name: str) -> bytes:
        found = module_text(name)
        if found is None:
            return b"absent"
        if words := changed_since_import(name):
            self.unkeyed.append(f"{label} {words}")
        self.sources[label] = found.source
        self.environment.module(found.source)
        imports = [self._imported(within(name, one), one.names) for one in found.imports]
        since = [text(n) + self._target(at, (n,), held=True) for at, n in found.set_since(name)]
        return found.digest + b"".join([*imports, *since])

    def _imported(self, name: str, names: tuple[str, ...]) -> bytes:
        """What an import statement brings: a module, or modules out of a package."""
        said = self._module(name, sys.modules.get(name))
        if origin_of_module(name).owner is CodeOwner.LOCAL:
            inner = (f"{name}.{one}" for one in names)
            found = [one for one in inner if file_of_module(one) is not None]
            said += b"".join([self._module(one, sys.modules.get(one)) for one in found])
        return said
