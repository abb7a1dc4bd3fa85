"""The Kaggle snapshot of arXiv's metadata (FACTS 6.1): millions of records, imported as a stream."""

from app.snapshot.files import SnapshotFile, open_snapshot
from app.snapshot.importing import SnapshotReport, import_snapshot
from app.snapshot.preparing import Broken
from app.snapshot.records import read_record

__all__ = ["Broken", "SnapshotFile", "SnapshotReport", "import_snapshot", "open_snapshot", "read_record"]
