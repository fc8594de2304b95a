"""Checks this export on any computer with Python 3.8 or newer, with nothing else installed and no network.

    python3 verify.py [--head N:HEX ...] [--key HEX] [FOLDER]

--key:  the fingerprint of the recorder's key, as it was noted at the recorder.
--head: a row's number and the beginning of its hash, as the ward has kept them from the recorder's reports.
Exit code 0: everything holds; 1: something does not. If you can, use a copy of this program from another source.

`manifest.json` names the films with their SHA-256 and is signed (Ed25519) with the recorder's key. `ledger.jsonl` is a
part of the recorder's ledger: each row's hash covers the row before it, and each row is signed with that key. It has
the rows of the clips from which the films were cut, and ends with the row about this export.
"""
import argparse
import hashlib
import json
import sys
from pathlib import Path

# Ed25519 (RFC 8032): a curve over the whole numbers modulo P, with a base point of order L.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)                          # of -1
ZERO = (0, 1, 1, 0)


def add(one, two):
    """The sum of two points, each as X, Y, Z and T with x = X/Z, y = Y/Z and x * y = T/Z."""
    a, b = (one[1] - one[0]) * (two[1] - two[0]) % P, (one[1] + one[0]) * (two[1] + two[0]) % P
    c, d = 2 * one[3] * two[3] * D % P, 2 * one[2] * two[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number, point):
    """The point added to itself `number` times."""
    result = ZERO
    while number:
        result = add(result, point) if number & 1 else result
        point, number = add(point, point), number >> 1
    return result


def point_of(data):
    """The point that these 32 bytes encode; None if they encode no point."""
    y, odd = int.from_bytes(data, "little") & 2**255 - 1, data[31] >> 7
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * ROOT % P
    if y >= P or x * x % P != square or (x == 0 and odd):
        return None
    x = x if x & 1 == odd else P - x
    return x, y, 1, x * y % P


BASE = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed(key, signature, message):
    """Whether the 64 bytes are the signature of the message with the secret half of this key."""
    point, commitment = (point_of(part) if len(part) == 32 else None for part in (key, signature[:32]))
    s = int.from_bytes(signature[32:], "little")
    if point is None or commitment is None or len(signature) != 64 or s >= L:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    left, right = times(s, BASE), add(commitment, times(challenge, point))
    return all((left[at] * right[2] - right[at] * left[2]) % P == 0 for at in (0, 1))


def name(value):
    """A name from the export, made safe to print: it cannot end a line or imitate output of this program."""
    return "".join(sign if sign.isascii() and (sign.isalnum() or sign in "._:-") else "?" for sign in str(value))[:80]


def check_files(folder, manifest, tell):
    """Whether each file in the manifest is there and unchanged."""
    for entry in manifest["claim"]["films"] + manifest["claim"].get("files", []):
        path, digest = folder / Path(entry["file"]).name, hashlib.sha256()
        try:
            with path.open("rb") as file:
                for piece in iter(lambda: file.read(1 << 20), b""):
                    digest.update(piece)
            tell(digest.hexdigest() == entry["sha256"], name(entry["file"]) + " is the file that was exported")
        except OSError as error:
            tell(False, f"{name(entry['file'])} can be read ({error.strerror})")


def check_rows(lines, manifest, key, tell):
    """Whether the rows are chained and signed; returns them by number, each with its hash."""
    rows, n, prev = {}, manifest["after"]["n"], manifest["after"]["hash"]
    for line in map(json.loads, lines):
        doc, row_hash = line["doc"].encode(), bytes.fromhex(line["hash"])
        told = json.loads(doc)
        if (told["n"], line["prev"]) != (n + 1, prev):
            tell(False, f"row {name(told['n'])} follows on row {name(n)}")
        n, prev = int(told["n"]), line["hash"]
        if hashlib.sha256(bytes.fromhex(line["prev"]) + doc).digest() != row_hash:
            tell(False, f"row {n} is what was hashed")
        if not signed(key, bytes.fromhex(line["sig"]), b"taimat ledger 1\n" + row_hash):
            tell(False, f"row {n} is signed by the recorder")
        rows[n] = told, prev
        print(f"\r{len(rows)} rows", end="", file=sys.stderr)
    print(file=sys.stderr)
    tell((n, prev) == (manifest["last"]["n"], manifest["last"]["hash"]), "the rows end where the manifest says")
    return rows


def check_claim(rows, manifest, tell):
    """Whether the rows agree with the manifest about the export and its clips."""
    claim = json.dumps(manifest["claim"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    body = rows.get(manifest["last"]["n"], ({"body": {}},))[0]["body"]
    tell(body.get("claim") == hashlib.sha256(claim).hexdigest(), "the last row is about this export")
    wish, offsets = manifest["claim"]["wish"], {}
    for row, _ in rows.values():
        if row["kind"] in ("clock", "begin"):
            offsets.setdefault(row["at"]["boot"], set()).add(row["body"].get("offset_ms"))
    for clip in manifest["claim"]["clips"]:
        body = rows.get(clip["n"], ({"body": {}},))[0]["body"]
        tell((body.get("clip"), body.get("sha256")) == (clip["clip"], clip["sha256"]),
             f"row {name(clip['n'])} has the digest of the clip {name(clip['clip'])}")
        tell(body.get("camera") == wish["camera"],
             f"the clip {name(clip['clip'])} is of the camera {name(wish['camera'])}")
        wall, mono, begin = body.get("wall_ms", 0), body.get("mono_ms", 0), clip["begin_ms"]
        dates = {wall - mono, body.get("offset_ms"), *offsets.get(body.get("boot"), ())}
        tell(begin - clip["off_ms"] == wall and begin - mono in dates and body.get("dur_ms") == clip["dur_ms"],
             f"the clip {name(clip['clip'])} is dated as the rows say")
        tell(begin < wish["end_ms"] + 2000 and begin + clip["dur_ms"] > wish["begin_ms"] - 2000
             and clip["clip"] in wish.get("only", [clip["clip"]]),
             f"the clip {name(clip['clip'])} is of the time that was asked for, and the household agreed to it")
    if ward := manifest["claim"].get("ward"):
        told = [row["body"] for row, _ in rows.values() if row["kind"] == "ward_identity"]
        tell(told[-1:] == [ward], f"a row says that the ward knows this recorder as {name(ward['name'])}")


def check_time(claim, tell):
    """Whether films and listed gaps cover the requested time."""
    wish, told = claim["wish"], claim["gaps"] + [part for film in claim["films"] for part in film["stretches"]]
    reached, silent = wish["begin_ms"], 0
    for begin, end in sorted((part["begin_ms"], part["end_ms"]) for part in told) + [(wish["end_ms"], 0)]:
        silent, reached = max(silent, begin - reached), max(reached, end)
    tell(silent <= 2000, "films and gaps make up the time that was asked for")


def main():
    """Checks everything and prints what holds and what does not."""
    parser = argparse.ArgumentParser(description="Checks an export.")
    parser.add_argument("folder", nargs="?", default=Path(__file__).resolve().parent, type=Path)
    parser.add_argument("--head", action="append", default=[], metavar="N:HEX")
    parser.add_argument("--key", default="", metavar="HEX")
    wishes, wrong = parser.parse_args(), []

    def tell(holds, what):
        print("holds" if holds else "FAILS", what)
        wrong.extend([] if holds else [what])

    try:
        data = (wishes.folder / "manifest.json").read_bytes()
        manifest, seal = json.loads(data), wishes.folder / "manifest.json.ed25519"
        key, signature = bytes.fromhex(manifest["key"]), seal.read_bytes() if seal.exists() else b""
        tell(signed(key, signature, data), f"manifest.json is what the recorder {name(manifest['dev'])} signed")
        check_files(wishes.folder, manifest, tell)
        rows = check_rows((wishes.folder / "ledger.jsonl").read_bytes().splitlines(), manifest, key, tell)
        check_claim(rows, manifest, tell)
        check_time(manifest["claim"], tell)
    except Exception as error:                          # of any kind
        sys.exit(f"FAILS this is no whole export: {name(repr(error))}")
    for number, _, digits in (head.partition(":") for head in wishes.head):
        if number.isdigit() and int(number) in rows:
            tell(rows[int(number)][1].startswith(digits.lower()), f"row {number} is the one that was seen")
        else:
            print(f"      row {number} is not in this stretch of the ledger, which says nothing")
    fingerprint = hashlib.sha256(key).hexdigest()[:16]
    if wishes.key:
        tell(fingerprint == wishes.key.lower(), "the key is the one that was named")
    print(f"the recorder's key has the fingerprint {fingerprint}{'' if wishes.key else ' (compare it: --key)'}")
    print("all of it holds" if not wrong else f"{len(wrong)} of it does not hold")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
