"""What a function is called in a shared store (docs/format.md, "Names")."""

from __future__ import annotations

from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from twat_cache._identity.base_names import base_name, base_of, is_traveller, settled
from twat_cache.exceptions import ConfigurationError

if TYPE_CHECKING:
    from twat_cache._identity.name_watch import Watch


class StoredName:
    """A function's name in stores, and the name of a folder of its own.

    ``watch`` follows what the function captured, where that is part of the name.
    """

    __slots__ = ("base", "folder", "text", "watch")

    def __init__(self, text: str, folder: str, base: str | None = None, watch: Watch | None = None) -> None:
        self.text, self.folder, self.base, self.watch = text, folder, base, watch


def stored_name(
    func: Any, *, outlives: bool = True, shared: bool = False, spaced: bool = False, frozen: bool = False
) -> StoredName:
    """Return a name that stands for this function and no other, in a store that outlives the program.

    Args:
        func: The function to name.
        outlives: The results may outlive the program, so that the programmer is warned of those that cannot be found.
        shared: Other machines use the store.
        spaced: The results have a namespace that the programmer chose for those who share them.
        frozen: The programmer says that what the function captured does not change.

    Raises:
        ConfigurationError: The object has no name of its own.
    """
    bound = getattr(func, "__self__", None)
    named = isinstance(func, type) or hasattr(func, "__qualname__")
    if not named or not (bound is None or isinstance(bound, (type, ModuleType))):
        what = f"a {type(func).__module__}.{type(func).__qualname__}"
        raise ConfigurationError(
            f"name: expected one for what has none of its own (a partial, an object, a method of one instance), "
            f"got: {what}; give the decorator name="
        )
    base, alone = base_of(func, shared=shared, spaced=spaced)
    if shared:
        # A folder is on one machine.
        folder = base_name(func)
    else:
        folder = base
    function = settled(getattr(func, "__func__", func))
    if not isinstance(function, FunctionType):
        return StoredName(base, folder, base)
    from twat_cache._identity.name_watch import Watch, has_state

    if not has_state(function):
        return StoredName(base, folder, base)
    # The variables of a function that has just arrived are about to be bound.
    late = not is_traveller(function)
    watch = Watch(function, base, alone=alone, frozen=frozen, outlives=outlives, late=late)
    if watch.text == base and not watch.follows:
        return StoredName(base, folder, base)
    return StoredName(watch.text, base if watch.here_only else folder + watch.text[len(base) :], base, watch)


def function_name(func: Any) -> str:
    """Return the name in stores, for what is not to be refused or warned of."""
    return call_name(func)[0]


def call_name(func: Any) -> tuple[str, Watch | None]:
    """Return the name as ``function_name`` does, and what keeps it current."""
    try:
        named = stored_name(func, outlives=False)
    except ConfigurationError:
        return base_name(func), None
    return named.text, named.watch
