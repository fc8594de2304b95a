"""How libav is asked to open what others have made."""
import av

# A title that is not UTF-8 must keep nobody from the video; from PyAV 19 on it does not, and can't be told so.
ANY_METADATA = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
