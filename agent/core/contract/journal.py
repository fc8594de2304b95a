"""The MESSAGE_ID of important messages in the journal, by the text in the code. An id never changes, its text may."""
MESSAGE_IDS = {
    "%s: no picture: %s": "6300605635e8437b93ccfabf12688df4",
    "%s: is back": "67ad7115e2c8447395c551883b2b288a",
    "%s: %s: step %d of the ladder, %s": "6bda35fb7a9d4e84a5f6155d398788ae",
    "recording of %s stopped: %s (%s); tried again every %g s": "12c42d5e642b40e8972c5fce78ca20dd",
    "the last good configuration is in use, because of: %s": "32e38fc8aeec465fb48aeacfa3b73918",
    "the card does not keep what is written to it: %s; replace it": "0a788fee0bf24af1b6e2b6bd8160f006",
    "%s was damaged; %d of its rows were saved, it was set aside as %s; not whole: %s":
        "2c7a8334f5be420e95639fc4394cf2c0",
    "a browser was paired: %s": "7a5c8b33fb934d4a9d5b0b51fe8683df",
    "a wrong pairing code was tried": "e9d6e5a4c37447009823bdcfdb503669",
    "%d clips of %s are erased from the page": "24ffee0a315c4ee3a3337bb74c2b9003",
    "signed an export of %s, %d films, asked by %s": "16bf08adc8be42f599b821ae2ca09bbc",
    "the clock is %s now%s": "70a9cd49095f41c28b956af26216a9f0",
    "%s on trial; before it worked: %s": "ea4b174b463646ea9c2c69e975db03b0",
    "%s works, and has taken the place of %s": "4a2c1f7671e4491bac7054b10dc75a08",
    "%s does not work: %s": "8edb82c186814d40b61654c9e2a38b01",
    "not installed: %s": "be7aa41b17434ddfac658bf6629b0788",
    "going back to %s": "46c3eb1e55df4166afa2a805ee21bc6d"}
