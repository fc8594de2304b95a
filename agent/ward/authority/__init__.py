"""The ward's authority: its certificates, and the lists of revoked ones."""
