"""A range of time out of a camera's recordings, as an MP4: found, cut and written. For the command, page and keeper."""
from agent.store.export.errors import ExportError
from agent.store.export.prepare import Export, ExportGap, prepare, prepare_clip
from agent.store.export.write import Written, write

__all__ = ["Export", "ExportError", "ExportGap", "Written", "prepare", "prepare_clip", "write"]
