"""What setup.cfg cannot say: the models of `models/` go into the wheel, beside the code of the package."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

MODELS = Path(__file__).parent / "models"


class BuildWithModels(build_py):
    """Builds as ever, and copies the models with their cards; an editable installation reads those here."""

    def run(self) -> None:
        """Build into `build_lib`."""
        super().run()
        folder = Path(self.build_lib, "vector_tl", "models")
        for path in () if self.editable_mode else sorted(MODELS.glob("*.*")):
            self.mkpath(str(folder))
            self.copy_file(str(path), str(folder / path.name))


setup(cmdclass={"build_py": BuildWithModels})
