"""The front door: names come when they are first used, and a missing laboratory is said in a sentence."""

from __future__ import annotations

import subprocess
import sys

import pytest

import reticent as rt
from reticent.errors import MissingExtra, UsageError

# A fresh Python in which these packages are not installed, as far as imports can tell.
WITHOUT = """
import sys

class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {packages!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name.partition(".")[0])

sys.meta_path.insert(0, Gone())
import reticent
"""


def run_without(packages: tuple[str, ...], code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT.format(packages=packages) + code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'reticent' has no attribute 'nosuch'"):
        rt.nosuch  # noqa: B018
    assert not hasattr(rt, "torch")


def test_a_name_is_looked_up_once_and_then_kept() -> None:
    assert rt.Plan is rt.Plan
    assert "Plan" in vars(rt)


def test_the_rooms_can_be_reached_from_the_door() -> None:
    import reticent.privacy

    assert rt.privacy is reticent.privacy
    assert rt.audit.__module__ == "reticent.audits.membership"
    assert callable(rt.train)


@pytest.mark.slow
def test_without_torch_the_record_office_works() -> None:
    done = run_without(
        ("torch", "sklearn", "joblib"),
        """
assert reticent.Plan(1.0, 1000, 10, 5).guarantee().epsilon(1e-5) > 0
assert reticent.Estimate(0.5, 0.4, 0.6, 0.95, 10, "made up").contains(0.5)
import reticent.reports, reticent.cli
from reticent.cli import main
sys.argv = ["reticent", "data", "list"]
main()
""",
    )
    assert done.returncode == 0, done.stderr
    assert "diabetes" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train", "audit", "compare", "Recipe", "make_private"])
def test_without_torch_the_laboratory_names_the_command_that_mends_it(name: str) -> None:
    done = run_without(
        ("torch",),
        f"""
try:
    reticent.{name}
except reticent.errors.MissingExtra as error:
    print(error)
""".replace("reticent.errors", "__import__('reticent.errors').errors"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == (
        f"reticent.{name} needs the package torch, which is not installed. Install it with: pip install 'reticent[lab]'"
    )


def test_without_torch_the_demo_ends_with_a_sentence() -> None:
    done = run_without(
        ("torch", "sklearn", "joblib"),
        """
from reticent.cli import main
sys.argv = ["reticent", "demo", "--output", "never-written.html"]
main()
""",
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "pip install 'reticent[lab]'" in done.stderr
    assert done.stdout == ""


def test_another_missing_package_is_not_blamed_on_the_extra() -> None:
    done = run_without(("scipy",), "reticent.Plan(1.0, 1000, 10, 5).guarantee().epsilon(1e-5)\n")
    assert done.returncode == 1
    assert "ModuleNotFoundError: No module named 'scipy'" in done.stderr


def test_a_missing_extra_is_a_usage_error_and_an_import_error() -> None:
    assert issubclass(MissingExtra, UsageError)
    assert issubclass(MissingExtra, ImportError)
