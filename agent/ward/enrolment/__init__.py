"""Enrolment at the ward: the book of places, claims and certificates, and the door (docs/design/ward.md)."""
