"""How libav is asked to open what others have made."""
import av

from agent.host.decoder import PROBED_MAX_PX

# A title that is not UTF-8 must keep nobody from the video; from PyAV 19 on it does not, and can't be told so.
ANY_METADATA = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
# To learn what is in a container, libav decodes its first pictures.
PROBING = {"max_pixels": str(PROBED_MAX_PX), "threads": "1"}
