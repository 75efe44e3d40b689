"""A fresh Python, for what depends on the environment, on a first import or on signals, and for counting threads.

Not a pool and not a fixture: each call starts one process and waits for it. NumPy's own threads are switched off in
it, so that a thread beside the first is one of fastmlp's.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

WITHOUT_THREADS_OF_NUMPY = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def python(*arguments, **environment):
    """Run Python anew with these variables set; FASTMLP_* of this process are not handed on."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FASTMLP_")}
    # What a script of the tests imports from beside it, here as in pytest.
    inherited["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.getenv("PYTHONPATH")])])
    with subprocess.Popen(
        [sys.executable, *arguments],
        env=inherited | WITHOUT_THREADS_OF_NUMPY | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that a child of its own that hangs ends with it
    ) as process:
        try:
            stdout, stderr = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def output_of(*arguments, **environment):
    done = python(*arguments, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
