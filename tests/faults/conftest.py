"""The provider in this process, against the emulator; no real CLI."""
