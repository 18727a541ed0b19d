"""What a script beside this file finds when it imports `lecture10_vae`: the package, if Python has TensorFlow.

`python lecture10_vae/vae.py` looks for modules in the script's own folder first. So here a Python without TensorFlow,
which is not the environment's, can be told in one line. lectures/exercises has the same, by this one.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
__path__ = [str(HERE)]

if not all(map(find_spec, ("tensorflow", "tensorflow_probability", "tf_keras"))):
    script = sys.modules["__main__"].__file__
    places = [HERE.parent / ".venv" / place for place in ("bin/python", r"Scripts/python.exe")]
    if have := [str(place) for place in places if place.exists()]:
        command = " ".join([have[0], script, *sys.argv[1:]])
        sys.exit(f"This Python ({sys.executable}) has no TensorFlow; the environment's has: {command}")
    sys.exit(
        f"This Python ({sys.executable}) has no TensorFlow. Make the environment first, in the repository's folder: "
        f"make vae; or, without make, {Path(sys.executable).name} -m venv .venv and .venv/bin/python -m pip install "
        rf"-r requirements.txt (Windows: .venv\Scripts\python), then .venv/bin/python {script}."
    )
