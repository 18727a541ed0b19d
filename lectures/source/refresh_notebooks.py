"""Runs the notebooks, each in a fresh kernel, and keeps what they show.

    make notebooks                                                       # all of them
    python -m lectures.source.refresh_notebooks notebooks/4_vae.ipynb    # some

What they show is committed with them, but for the cells that answer a question: a student runs these.
"""

import queue
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from nbclient import NotebookClient
from traitlets import Type
from traitlets.config import Config

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
ANSWER = "<details><summary>Answer</summary>"
WIDGET = "application/vnd.jupyter.widget-view+json"


class Channel(AsyncZMQSocketChannel):
    """Looks each second whether a message is there, as ZeroMQ now and then forgets to announce one."""

    async def get_msg(self, timeout: float | None = None) -> dict:
        """The next message; raises queue.Empty if none comes within so many seconds."""
        end = time.monotonic() + (float("inf") if timeout is None else timeout)
        while (left := end - time.monotonic()) > 1:
            try:
                return await super().get_msg(1)
            except queue.Empty:
                pass
        return await super().get_msg(max(left, 0))


class Client(AsyncKernelClient):
    """A kernel's client whose messages come through such channels."""

    shell_channel_class = Type(Channel)
    iopub_channel_class = Type(Channel)


def execute(notebook: nbformat.NotebookNode, folder: Path) -> list[dict]:
    """Runs all cells in order, in a fresh kernel with `folder` as its working directory, and replaces their outputs.

    Leaves out what is another each time: when a cell ran, and widgets (sliders, progress bars), which without a reader
    only have a random name.

    Returns:
        What the sliders show, which the notebook does not keep.
    """
    client = NotebookClient(
        notebook,
        timeout=300,  # seconds for a cell to run; none takes a tenth of it
        iopub_timeout=60,  # and then for the rest of its output
        raise_on_iopub_timeout=True,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
        config=Config(
            KernelManager={
                "transport_encryption": "auto",  # else each kernel warns
                "client_class": f"{__name__}.{Client.__name__}",
            }
        ),
    )
    client.execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return [output for state in client.widget_state.values() for output in state.get("outputs", ())]


def answering(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """The cells between a question and its folded answer, which show what was asked for."""
    cells = []
    for place, cell in enumerate(notebook.cells):
        if ANSWER in cell.source:
            while notebook.cells[place := place - 1].cell_type == "code":
                cells.append(notebook.cells[place])
    return cells


def main(paths: list[Path]) -> None:
    """Refreshes the notebooks of the paths in place."""
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        with tempfile.TemporaryDirectory() as folder:
            execute(notebook, Path(folder))
        for cell in answering(notebook):
            cell.outputs = []
        nbformat.write(notebook, path)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main([Path(path) for path in sys.argv[1:]] or NOTEBOOKS)
