"""`taimat tune`: recorded footage through the detector again, and what other settings would have made of it."""
