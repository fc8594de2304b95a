"""The ward's authority: who belongs to the ward, by certificates, and what keeps that so."""
