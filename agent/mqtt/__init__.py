"""One connection to an MQTT broker, kept up: the device's end and the ward's use the same."""
