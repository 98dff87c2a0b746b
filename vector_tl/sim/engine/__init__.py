"""The virtual robot: behaviour control, actions, sensors, streams and faults."""
