"""Recorded video looked at again, for the command line and the page.

It lies here and not with the recorder, because no role may import another one; to import it loads libav.
"""
