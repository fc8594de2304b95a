"""QR codes as drawings within a page."""
from markupsafe import Markup


def drawn(text: str) -> Markup:
    """The smallest code that holds `text`, at the best correction of errors that this size has."""
    import segno  # only here: it is needed for a phone, and for a sheet to print

    return Markup(segno.make(text, micro=False).svg_inline(omitsize=True, border=2, dark="#000", light="#fff"))
