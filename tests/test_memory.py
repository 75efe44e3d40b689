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
from fastmlp import builds, sparse
from fastmlp.optimizers import Steps

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
        for sizes in ((4, 1), (3, 5, 2), (40, 33, 1), (70, 36, 3), (17, 64, 7), (300, 500, 7), (20_000, 7)):
            with builds.forced(build):
                net = fastmlp.MLP(sizes, dtype=dtype, seed=0)
            for m in (1, 3, 4, 65, 257) if sizes[0] < 1000 else (4,):
                X, y = (guarded(rng.normal(size=(m, n)).astype(dtype)) for n in (sizes[0], sizes[-1]))
                w, out = guarded(np.ones(m, dtype)), guarded(np.zeros((m, sizes[-1]), dtype))
                core = builds.network(dtype, build)(sizes, ("tanh",) * (len(sizes) - 1), "half_squared_error")
                columns = guarded(np.tile(np.arange(sizes[0])[-3:], m).astype(np.int32))
                ends = guarded(np.arange(0, columns.size + 1, columns.size // m))
                csr = sparse.CSR(guarded(np.ones(columns.size, dtype)), columns, ends, (m, sizes[0]))
                core.forward(csr, None, 1, True)
                core.train(csr, y, w, None, Steps(32, fastmlp.SGD()))
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


WITHOUT_MEMORY = """
import resource
import numpy as np
import fastmlp
from fastmlp.optimizers import Steps

net = fastmlp.MLP((300, 1000, 10), seed=0)
X, y = np.ones((4, 300), np.float32), np.ones((4, 10), np.float32)
in_use = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
limits = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (in_use + 2**20, limits[1]))
failures = 0
for _ in range(2):
    try:
        net.evaluate(X, y)
    except MemoryError:
        failures += 1
resource.setrlimit(resource.RLIMIT_AS, limits)
print(failures, np.isfinite(net.evaluate(X, y)))
"""


def test_a_net_that_found_no_memory_works_when_there_is_some():
    assert output_of("-c", WITHOUT_MEMORY) == "2 True"
