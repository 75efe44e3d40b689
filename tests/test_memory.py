"""The core reads and writes its arguments only: each of them ends where the next page may not be touched.

The kernels read whole vectors, so this is not a matter of course. A fault ends the process, so all runs in one of its
own. Not here: what the calls return (test_core_equals_reference.py) and what they allocate (test_allocation.py).
"""

from processes import output_of

SCRIPT = """
import ctypes, mmap
import numpy as np
import fastmlp
from cases import COMPILED, DTYPES
from fastmlp import builds

libc = ctypes.CDLL(None, use_errno=True)
kept = []
def guarded(array):
    array = np.ascontiguousarray(array)
    pages = -(-array.nbytes // mmap.PAGESIZE) + 1
    room = mmap.mmap(-1, pages * mmap.PAGESIZE)
    kept.append(room)
    whole = np.frombuffer(room, np.uint8)
    end = (pages - 1) * mmap.PAGESIZE
    assert libc.mprotect(ctypes.c_void_p(whole.ctypes.data + end), ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
    copy = whole[end - array.nbytes : end].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy

rng = np.random.default_rng(0)
for build in COMPILED:
    for dtype in DTYPES:
        for sizes in ((4, 1), (3, 5, 2), (40, 33, 1), (17, 64, 7), (300, 500, 7), (20_000, 7)):
            with builds.forced(build):
                net = fastmlp.MLP(sizes, dtype=dtype, seed=0)
            for m in (1, 3, 4, 65, 257) if sizes[0] < 1000 else (4,):
                X, y = (guarded(rng.normal(size=(m, n)).astype(dtype)) for n in (sizes[0], sizes[-1]))
                w, out = guarded(np.ones(m, dtype)), guarded(np.zeros((m, sizes[-1]), dtype))
                net.predict(X, out=out)
                net.predict(X[0], out=out[-1])
                net.evaluate(X, y, sample_weight=w)
                net.gradient(X, y, sample_weight=w)
                for shuffle, size in ((True, 2), (False, 32), (False, None)):
                    net.fit(X, y, epochs=1, batch_size=size, shuffle=shuffle, sample_weight=w)
print("no fault")
"""


def test_no_argument_is_read_or_written_beyond_its_end():
    assert output_of("-c", SCRIPT).strip() == "no fault"
