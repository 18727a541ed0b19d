"""Runs the notebooks, each in a fresh kernel, and keeps what they show.

make notebooks                                      # all of them
python notebooks/refresh.py notebooks/4_vae.ipynb   # some
"""

import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from traitlets.config import Config

NOTEBOOKS = sorted(Path(__file__).resolve().parent.glob("*.ipynb"))
WIDGET = "application/vnd.jupyter.widget-view+json"


def execute(notebook: nbformat.NotebookNode, folder: Path) -> list[dict]:
    """Runs all cells in order, in a fresh kernel with `folder` as its working directory, and replaces their outputs.

    Leaves out what is another each time: when a cell ran, and sliders, which without a reader only have a random name.

    Returns:
        What the sliders show, which the notebook does not keep.
    """
    client = NotebookClient(
        notebook,
        timeout=100,  # seconds; no cell takes a tenth, but a reply that ZeroMQ forgot to announce is only found then
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
        config=Config(KernelManager={"transport_encryption": "auto"}),  # else each kernel warns
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


def main(paths: list[Path]) -> None:
    """Refreshes the notebooks of the paths in place."""
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        with tempfile.TemporaryDirectory() as folder:
            execute(notebook, Path(folder))
        nbformat.write(notebook, path)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main([Path(path) for path in sys.argv[1:]] or NOTEBOOKS)
