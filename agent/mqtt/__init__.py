"""Sessions with MQTT brokers: used by the device and by the ward."""
