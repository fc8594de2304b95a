"""`taimat ward request`: asks a device for pictures, follows a request, and shows earlier ones."""
