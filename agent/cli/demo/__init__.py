"""`taimat demo`: a first look at the whole recorder, on real footage and with a broker of its own."""
