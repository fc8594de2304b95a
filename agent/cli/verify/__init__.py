"""`taimat verify`: whether a card or an export holds what was recorded, and what of it is vouched for."""
