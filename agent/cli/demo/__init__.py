"""`taimat demo`: the whole recorder on real footage, with a broker of its own, for somebody who has just arrived."""
