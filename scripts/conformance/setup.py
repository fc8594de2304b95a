"""Builds the tool with the files of `agent` that it imports."""
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]
sys.path.insert(0, str(REPO))
from scripts.packaging.closure import closure  # noqa: E402


class BuildWhole(build_py):
    """The tool's own files, and below `shipped` those of `agent`, with the texts beside them."""

    def run(self) -> None:
        """Copy both."""
        super().run()
        modules = closure(REPO, (HERE / "taimat_conformance").rglob("*.py"))
        for path in modules | {text for module in modules for text in module.parent.glob("*.toml")}:
            if path.is_relative_to(REPO / "agent"):
                target = Path(self.build_lib, "taimat_conformance", "shipped", path.relative_to(REPO))
                self.mkpath(str(target.parent))
                self.copy_file(str(path), str(target))


setup(cmdclass={"build_py": BuildWhole})
