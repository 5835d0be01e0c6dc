"""Assistants API code keeps running, on the Responses API."""
