"""Where a function comes from: what tells apart two modules of one name (docs/format.md, "Names")."""

from __future__ import annotations

import os
import sys
import weakref
from types import CodeType, FunctionType
from typing import Any

from twat_cache._identity.project import project_of_folder, stated_project

MAIN = "__main__"
_MAINS = frozenset((MAIN, "__mp_main__"))  # the second is what spawned workers call the first


class Origin:
    """The source of a function.

    ``discriminator`` and ``module`` are the beginning of its name. ``unique`` says that no other machine gives
    the same beginning to something else. ``in_file`` says that the code is stored in a file, which tells it apart;
    ``trusted`` that its globals are those of a module, which every run fills alike.
    """

    __slots__ = ("discriminator", "file", "in_file", "module", "root", "trusted", "unique")

    def __init__(self, module: str, *, file: str | None, root: str | None, trusted: bool) -> None:
        self.module, self.file, self.root, self.trusted = module, file, root, trusted
        self.in_file = file is not None
        self.discriminator, self.unique = _discriminator(module, root, file, trusted)

    @property
    def in_module(self) -> bool:
        """Whether the place of the code tells it apart, so that the globals it reads need not."""
        return self.in_file and self.trusted

    def prefix(self) -> str:
        """Return what stands before the qualified name."""
        module = self.module.replace("%", "%25").replace(":", "%3A") + "."
        return f"{self.discriminator}:{module}" if self.discriminator else module


_origins: weakref.WeakKeyDictionary[Any, tuple[str | None, Origin]] = weakref.WeakKeyDictionary()
_prefixes: dict[str, tuple[str | None, Any, str]] = {}


def origin_of(func: Any) -> Origin:
    """Return the origin of an innermost function, builtins and classes included."""
    if not isinstance(func, FunctionType):
        return _origin_of(func)
    known, stated = _origins.get(func), stated_project()
    if known is None or known[0] != stated:
        known = _origins[func] = (stated, _origin_of(func))
    return known[1]


def set_origin(func: Any, in_module: bool) -> None:
    """Take a function that arrived by value for what it was at home."""
    origin = _origin_of(func)
    origin.in_file = origin.trusted = in_module
    _origins[func] = (stated_project(), origin)


def module_prefix(name: str) -> str:
    """Return what stands before the names of a loaded module."""
    known, stated, home = _prefixes.get(name), stated_project(), sys.modules.get(name)
    if known is None or known[0] != stated or known[1] is not home:
        known = _prefixes[name] = (stated, home, _of_module(name, getattr(home, "__dict__", {}), None).prefix())
    return known[2]


def type_name(kind: type) -> str:
    """Return the qualified name of a class, the same in a program and in the workers it spawned."""
    module = kind.__module__
    return f"{_main_name() if module in _MAINS else module}.{kind.__qualname__}"


def loaded_modules(name: str) -> list[Any]:
    """Return the loaded modules of a name that ``type_name`` gives."""
    names = [name] if name not in (MAIN, _main_name()) else [name, MAIN, "__mp_main__"]
    return [home for home in map(sys.modules.get, names) if home is not None]


def _main_name() -> str:
    """Return the name of the main module: its own where ``python -m`` runs it."""
    name = getattr(getattr(sys.modules.get(MAIN), "__spec__", None), "name", None)
    return name if isinstance(name, str) and name not in _MAINS else MAIN


def _origin_of(func: Any) -> Origin:
    scope: Any = getattr(func, "__globals__", None)
    if not isinstance(scope, dict):
        name = getattr(func, "__module__", None) or "builtins"
        return _of_module(name, getattr(sys.modules.get(name), "__dict__", {}), None)
    code = getattr(func, "__code__", None)
    name = scope.get("__name__")
    home: Any = sys.modules.get(name) if isinstance(name, str) else None
    if isinstance(name, str) and home is not None and getattr(home, "__dict__", None) is scope:
        return _of_module(name, home.__dict__, code)
    file = _code_file(code)
    return Origin(MAIN if file or not isinstance(name, str) else _main_or(name), file=file, root=file, trusted=False)


def _of_module(name: str, scope: dict[str, Any], code: CodeType | None) -> Origin:
    """Return the origin of what has the globals of a module that is loaded."""
    spec, file = scope.get("__spec__"), _file_of(scope)
    if name in _MAINS:
        told = getattr(spec, "name", None)
        # `python -m package.module`: the module has a name of its own.
        name = told if isinstance(told, str) and told not in _MAINS else MAIN
    if code is not None and not _is_module_code(code, file):
        # Code that was executed in the module's globals.
        other = _code_file(code)
        root = other or _root_of(name, file, spec) or _notebook(scope)
        return Origin(MAIN if other else name, file=other, root=root, trusted=False)
    if file is None and _is_frozen() and name == MAIN:
        file = os.path.join(_bundle(), "__main__")
    if file is None and getattr(spec, "origin", None) not in ("built-in", "frozen"):
        return Origin(name, file=None, root=_notebook(scope), trusted=False)
    root = _root_of(name, file, spec)
    if root is not None and root == file:
        name = MAIN  # loaded by its path, under whatever name
        root = file = os.path.realpath(root)
    return Origin(name, file=file or name, root=root, trusted=True)


def _file_of(scope: dict[str, Any]) -> str | None:
    file = scope.get("__file__")
    return os.path.abspath(file) if isinstance(file, str) and not _is_no_file(file) else None


def is_typed_in(module: str) -> bool:
    """Whether no file fills a module: the prompt's, a notebook's."""
    scope = getattr(sys.modules.get(module), "__dict__", {})
    origin = getattr(scope.get("__spec__"), "origin", None)
    return _file_of(scope) is None and origin is None and module != "builtins"


def _root_of(name: str, file: str | None, spec: Any) -> str | None:
    """Return the folder or archive a dotted name is found in, or the file itself if the name does not say where."""
    if file is None:
        return None
    archive = getattr(getattr(spec, "loader", None), "archive", None)
    if isinstance(archive, str):
        return os.path.realpath(archive)
    if name == MAIN:
        return file
    for path in (os.path.realpath(file), file):
        folder, base = os.path.split(path)
        stem = base.partition(".")[0]
        steps = name.split(".")
        if stem == "__init__" and steps[-1] != "__init__":
            folder, stem = os.path.split(folder)
        while steps and stem == steps[-1]:
            steps.pop()
            if steps:
                folder, stem = os.path.split(folder)
        if not steps:
            return os.path.realpath(folder)
    return file


def _is_module_code(code: CodeType, file: str | None) -> bool:
    """Whether code is that of a module's own file. A compiled module may bear the path it was compiled at."""
    name = code.co_filename
    if file is None or _is_no_file(name):
        return False
    if _is_frozen() and not os.path.isabs(name):
        return True  # relative to a folder of the machine it was built on
    path = os.path.abspath(name)
    return path == file or not os.path.isfile(path) or os.path.realpath(path) == os.path.realpath(file)


def _code_file(code: CodeType | None) -> str | None:
    """Return the file of code outside modules."""
    if code is None or _is_no_file(code.co_filename) or not os.path.isfile(code.co_filename):
        return None
    return os.path.realpath(code.co_filename)


def _is_no_file(name: str) -> bool:
    """Whether a file name is a label: ``<stdin>``, ``<string>``, the cell of a notebook."""
    folder = os.path.basename(os.path.dirname(name))
    return not name or (name[0] == "<" and name[-1] == ">") or folder.startswith(("ipykernel_", "xpython_"))


def _main_or(name: str) -> str:
    return MAIN if name in _MAINS else name


def _notebook(scope: dict[str, Any]) -> str | None:
    """Return the path of the notebook whose cells have these globals, if its front end says so."""
    path = scope.get("__vsc_ipynb_file__")
    if path is None and "ipykernel" in sys.modules:
        path = os.environ.get("JPY_SESSION_NAME")
    return os.path.realpath(path) if isinstance(path, str) and os.path.isabs(path) else None


def _discriminator(module: str, root: str | None, file: str | None, trusted: bool) -> tuple[str, bool]:
    """Return what tells a module apart from others of its name, and whether it does so on every machine."""
    stated = stated_project()
    if root is None:
        # Built-in modules are the same everywhere; what was typed in is told apart by its code.
        return stated or "", stated is not None or file is not None
    by_path = root == file
    if _is_frozen() and trusted and _is_bundled(module, root):
        program, unique = (stated, True) if stated else _frozen_program()
        return _joined(program, os.path.relpath(root, _bundle())) if by_path and module != MAIN else program, unique
    installed = is_installed(root)
    found = None if installed else project_of_folder(root if os.path.isdir(root) else os.path.dirname(root))
    if found is not None:
        rest = os.path.relpath(root, found[1])
        if not by_path and rest in _USUAL_ROOTS and not _is_elsewhere(module, rest, found[1]):
            rest = os.curdir
        return _joined(stated or found[0], rest), True
    if stated is not None:
        return _joined(stated, os.path.basename(root)) if by_path else stated, True
    return ("", True) if installed else (root.replace(os.sep, "/"), False)


# Where projects have their modules.
_USUAL_ROOTS = (os.curdir, "src", "lib", "python", "test", "tests")


def _is_elsewhere(module: str, root: str, folder: str) -> bool:
    """Whether another of the usual import roots of a project has a module of this name."""
    path = module.replace(".", os.sep)
    others = [os.path.join(folder, other, path) for other in _USUAL_ROOTS if other != root]
    return any(os.path.isfile(other + ".py") or os.path.isdir(other) for other in others)


def project_folder(root: str | None) -> str | None:
    """Return the folder of the project that an import root or file is part of, if a ``pyproject.toml`` names one."""
    if root is None or is_installed(root):
        return None
    found = project_of_folder(root if os.path.isdir(root) else os.path.dirname(root))
    return None if found is None else found[1]


def _joined(project: str, rest: str) -> str:
    """Return a project's name with the import root inside it: two roots may hold modules of one name."""
    return project if rest == os.curdir else f"{project}/{rest.replace(os.sep, '/')}"


_installed: list[str] = []


def is_installed(root: str) -> bool:
    """Whether an import root is one of those that installers fill. Dotted names are unique there."""
    if not _installed:
        try:
            import sysconfig
        except (ImportError, OSError):  # no descriptors, or another root directory: a longer name does no harm
            return False
        paths = [sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib", "platstdlib")]
        paths.append(os.path.join(paths[-1], "lib-dynload"))
        site = sys.modules.get("site")
        if site is not None:
            paths += [*site.getsitepackages(), *([site.USER_SITE] if site.ENABLE_USER_SITE else [])]
        _installed[:] = {os.path.realpath(path) for path in paths if path}
    return root in _installed


def is_of_library(module: str) -> bool:
    """Whether a module is of the standard library or was installed: not of the program that runs."""
    if module.partition(".")[0] in _LIBRARY:
        return True
    home = sys.modules.get(module)
    known = _libraries.get(module)
    if known is None or known[0] is not home:
        scope = getattr(home, "__dict__", {})
        root = _root_of(module, _file_of(scope), scope.get("__spec__"))
        known = _libraries[module] = (home, root is not None and is_installed(root))
    return known[1]


_LIBRARY = frozenset((*sys.stdlib_module_names, "builtins"))
_libraries: dict[str, tuple[Any, bool]] = {}

# Frozen programs


def _is_frozen() -> bool:
    return bool(getattr(sys, "frozen", False))


def _bundle() -> str:
    """Return the folder that a frozen program's modules are in: unpacked at each start, or beside the executable."""
    unpacked = getattr(sys, "_MEIPASS", None)
    return os.path.realpath(unpacked if isinstance(unpacked, str) else os.path.dirname(sys.executable))


def _is_bundled(module: str, root: str) -> bool:
    """Whether a module is part of the frozen program. A plugin beside it is not."""
    return module == MAIN or (root + os.sep).startswith(_bundle() + os.sep) or not os.path.exists(root)


_programs: dict[str, tuple[str, bool]] = {}


def _frozen_program() -> tuple[str, bool]:
    """Return the executable's base name and a hash of what it holds.

    The base name alone does not tell two programs apart, and the path may change with each start. A program
    without an archive of its own has its path all the same.
    """
    path = os.path.abspath(sys.executable or sys.argv[0])
    found = _programs.get(path)
    if found is None:
        content = _content(path) if hasattr(sys, "_MEIPASS") else None
        found = (path.replace(os.sep, "/"), False)
        if content is not None:
            found = (f"{os.path.basename(path)}#{content}", True)
        _programs[path] = found
    return found


def _content(path: str) -> str | None:
    import mmap

    from twat_cache._ffi.digest import blake3

    try:
        # A writable view, since a read-only one would be copied to be hashed.
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as data:
            return blake3(memoryview(data)).hex()[:32]
    except (OSError, ValueError):
        return None
