import contextlib
import sys

# msgspec takes from typing_extensions what `typing` has, too. Each process would keep that library for it (1 MB).
if "typing_extensions" not in sys.modules:
    sys.modules["typing_extensions"] = None         # type: ignore[assignment]
    with contextlib.suppress(ImportError):      # packages are made by a Python without libraries
        import msgspec  # noqa: F401
    del sys.modules["typing_extensions"]
