"""What every room of the tests shares with pytest: the folder itself, so that `tolerances`, `cases` and what
else several files share can be imported.

Not a place for fixtures that hide what a test does; a test builds its own net, in sight.
"""

import sys
from pathlib import Path

# With --import-mode=importlib (how the wheel is tested, from another folder) pytest does not add this folder.
sys.path.insert(0, str(Path(__file__).parent))
