"""`taimat ward request`: asks a device for pictures, follows what becomes of it, shows what was asked before."""
