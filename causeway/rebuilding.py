"""What follows when a lane's slot is dropped: the lane forgets where it was, and its next run begins with a new snapshot."""

from __future__ import annotations

from causeway.runfiles import RunFolder
from config.settings import Lane, Settings
from loaders.state import forget_position
from warehouse.positions import forget_source
from warehouse.store import Warehouse


def forget(settings: Settings, source: str, lane: Lane) -> None:
    """Take the lane's position in a source away. CausewayError SLOT_IN_USE while the lane runs; STATE, WAREHOUSE."""
    folder = RunFolder(settings.run_dir)
    with folder.lock(lane):
        folder.forget_dropped(settings.slot_name(source, lane))
        if lane is Lane.OPERATIONAL:
            forget_position(settings.state, source, lane.value)
        elif settings.warehouse.path.exists():
            with Warehouse.open(settings.warehouse) as warehouse:
                forget_source(warehouse, source)
