"""What a browser loads to show a page for the first time: the page and all that it names, compressed as it asks."""
import gzip
import re

from tests.rigs.house.household import Household

HEADERS_B = 450                 # of an answer, at most; HTTP/1.1 does not compress them
LINKS = re.compile(r'(?:src|href|poster)="(/(?:static|thumbs|app)[^"]*)"')
IMPORTS = re.compile(r'from "\./([a-z_]+\.js)"')


def loaded(house: Household, page: str) -> dict[str, int]:
    """Bytes on the line for each address, without live pictures. Raises AssertionError for one that is not there."""
    answer = house.get(page, accept_encoding="gzip")
    weight, waiting = {page: len(answer.body) + HEADERS_B}, LINKS.findall(gzip.decompress(answer.body).decode())
    while waiting:
        if (path := waiting.pop()) in weight:
            continue
        answer = house.get(path, accept_encoding="gzip")
        assert answer.status == 200, path
        weight[path] = len(answer.body) + HEADERS_B
        if ".js" in path:
            text = gzip.decompress(answer.body).decode()
            waiting += [f"/static/{name}" for name in IMPORTS.findall(text)]
    return weight
