"""Recorded video looked at again, for whoever asks: the command line and the page.

It lies here and not with the recorder, because no role may import another one; whoever imports it loads libav.
"""
