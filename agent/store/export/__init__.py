"""A range of a camera's recordings as MP4: found, cut and written; for the command line, the page and the keeper."""
from agent.store.export.prepare import Export, ExportError, ExportGap, prepare, prepare_clip
from agent.store.export.write import Written, write
