"""How the words after an option become its value, where tyro's own help or errors would puzzle a person."""

import dataclasses
from types import UnionType
from typing import Any, Union, get_args

from tyro.conf import Positional
from tyro.constructors import (
    ConstructorRegistry,
    PrimitiveConstructorSpec,
    PrimitiveTypeInfo,
    UnsupportedTypeAnnotationError,
)

NUMBERS = {int: "a whole number, such as 3", float: "a number, such as 0.5"}


def option_types() -> ConstructorRegistry:
    """Rules for numbers, for options that may be left out, and for those that take several values."""
    registry = ConstructorRegistry()
    for rule in (number, may_be_left_out, several):
        registry.primitive_rule(rule)
    return registry


def number(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """An int or a float; an error says what is needed, not what Python lacks."""
    kind: Any = info.type
    if kind not in NUMBERS:
        return None

    def read(words: list[str]) -> Any:
        try:
            return kind(words[0])
        except ValueError:
            raise ValueError(f"it needs {NUMBERS[kind]}, not {words[0]!r}.") from None

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=kind.__name__.upper(),
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, kind),
        str_from_instance=lambda value: [str(value)],
    )


def may_be_left_out(
    info: PrimitiveTypeInfo,
) -> PrimitiveConstructorSpec[Any] | UnsupportedTypeAnnotationError | None:
    """`X | None` is typed as X; None is the value of an option that is left out."""
    kinds = set(get_args(info.type)) - {type(None)}
    if info.type_origin not in (Union, UnionType) or len(kinds) != 1:
        return None
    spec = ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(kinds.pop(), info.markers))
    if isinstance(spec, UnsupportedTypeAnnotationError):
        return spec
    own = spec.str_from_instance
    return dataclasses.replace(spec, str_from_instance=lambda value: [] if value is None else own(value))


def several(
    info: PrimitiveTypeInfo,
) -> PrimitiveConstructorSpec[Any] | UnsupportedTypeAnnotationError | None:
    """`tuple[X, X, X]`, or `tuple[X, ...]`, which needs at least one X once its option is named."""
    kinds = get_args(info.type)
    if info.type_origin is not tuple or len(set(kinds) - {Ellipsis}) != 1:
        return None
    count: Any = "*" if kinds[-1] is Ellipsis else len(kinds)
    spec = ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(kinds[0], info.markers))
    if isinstance(spec, UnsupportedTypeAnnotationError):
        return spec

    def read(words: list[str]) -> tuple[Any, ...]:
        if not words and Positional not in info.markers:  # the command says what it lacks
            raise ValueError("it needs at least one value.")
        return tuple(spec.instance_from_str([word]) for word in words)

    return PrimitiveConstructorSpec(
        nargs=count,
        metavar=f"{spec.metavar} [...]" if count == "*" else " ".join([spec.metavar] * count),
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, tuple) and all(map(spec.is_instance, value)),
        str_from_instance=lambda value: [word for part in value for word in spec.str_from_instance(part)],
        choices=spec.choices,
    )
