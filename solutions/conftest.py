"""Run the pages as they were derived: no progress bars, and no progress of this machine."""

import os
import tempfile

_state = tempfile.TemporaryDirectory()
os.environ["WORKBOOK_QUIET"] = "1"
os.environ.setdefault("WORKBOOK_OFFLINE", "1")  # the real data only where it is at hand
os.environ["WORKBOOK_STATE"] = _state.name
