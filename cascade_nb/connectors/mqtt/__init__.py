"""Constraints and telemetry over an MQTT broker."""
