"""The real kernels that other tests start are the versions they are called, and end with them."""

from __future__ import annotations

import psutil

from tests.support.kernels import NEWEST, RealKernel
from tests.support.leaks import is_running
from tools.environments import ROOT


def test_a_kernel_is_of_its_version_and_has_the_package_from_the_tree(
    kernel: RealKernel,
) -> None:
    cell = kernel.check("import ipykernel, cascade_nb; ipykernel.__version__, cascade_nb.__file__")
    assert cell.result is not None
    version, file = eval(cell.result["text/plain"])
    assert version.startswith(kernel.label)
    assert file == str(ROOT / "cascade_nb" / "__init__.py")


def test_what_a_cell_says_after_it_is_done_is_still_heard(kernel: RealKernel) -> None:
    cell = kernel.check(
        "import asyncio\n"
        "async def later():\n"
        "    await asyncio.sleep(0.2)\n"
        "    print('late')\n"
        "task = asyncio.ensure_future(later())\n"
    )
    assert cell.stdout == ""
    assert cell.wait_until(lambda cell: cell.stdout).stdout == "late\n"


def test_an_interrupt_ends_the_cell_and_not_the_kernel(kernel: RealKernel) -> None:
    cell = kernel.send("print('started', flush=True)\nimport time\ntime.sleep(600)")
    cell.wait_until(lambda cell: cell.stdout)
    kernel.interrupt()
    cell.wait()
    assert cell.error is not None
    assert cell.error.name == "KeyboardInterrupt"
    assert kernel.check("1 + 1").result == {"text/plain": "2"}


def test_nothing_of_a_killed_kernel_stays_behind() -> None:
    # the child has a session of its own, so that killing the kernel's process group misses it
    with RealKernel.start(NEWEST) as kernel:
        cell = kernel.check(
            "import subprocess\n"
            "child = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
            "print(child.pid)"
        )
        child = int(cell.stdout)
        kernel.kill()
        assert is_running(child)
    assert not is_running(child)


def test_a_kernel_that_ends_takes_its_children_along() -> None:
    with RealKernel.start(NEWEST) as kernel:
        kernel.check("import subprocess; child = subprocess.Popen(['sleep', '600'])")
        family = psutil.Process(kernel.pid).children(recursive=True)
        assert family
    assert not any(is_running(process.pid) for process in family)
