"""Enrolment, the ward's side: the book of places, claims and certificates, and the door (docs/design/ward.md)."""
