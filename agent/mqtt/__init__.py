"""A session with an MQTT broker, for the device's end and the ward's."""
