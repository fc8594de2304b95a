"""Decodes recorded video for the command line and the page. Importing it loads libav."""
