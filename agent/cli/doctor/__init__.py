"""`taimat doctor`: examines a device, one verdict and one remedy for each part. It changes nothing and never hangs."""
