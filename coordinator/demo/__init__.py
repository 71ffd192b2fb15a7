"""Five orders, five ends: driven only through the public API and the SDK, as users would."""
