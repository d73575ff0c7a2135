"""Refuses sub-interpreters, before PyTorch is imported: there that import hangs or ends in a crash.

Seen with PyTorch 2.15 in Python 3.11.
"""

from __future__ import annotations


def _is_main_interpreter() -> bool:
    """By Python's C interface, which alone tells in every version."""
    try:
        import ctypes
    except ImportError as error:
        if "subinterpreters" in str(error):  # Python 3.12 has it in the main one alone
            return False
        raise
    get = ctypes.pythonapi.PyInterpreterState_Get
    get_id = ctypes.pythonapi.PyInterpreterState_GetID
    get.restype = ctypes.c_void_p
    get_id.argtypes = [ctypes.c_void_p]
    get_id.restype = ctypes.c_int64
    return int(get_id(get())) == 0


if not _is_main_interpreter():
    raise ImportError(
        "torch_elu cannot be imported in a sub-interpreter of Python, because PyTorch cannot: "
        "import it in the main interpreter (mod_wsgi: WSGIApplicationGroup %{GLOBAL}), or in a "
        "process of its own."
    )
